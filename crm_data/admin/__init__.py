"""Admin pages of the built-in tables, on every configured site; `export` and `sites` serve other apps too."""

from crm_data.admin.customers import CustomerAdmin
from crm_data.admin.interactions import InteractionAdmin
from crm_data.admin.market import MarketIndicatorAdmin
from crm_data.admin.products import ProductAdmin
from crm_data.admin.records import ImportBatchAdmin, SnapshotAdmin
from crm_data.admin.sites import register
from crm_data.models import Customer, ImportBatch, Interaction, MarketIndicator, Product, Snapshot

register(Customer, CustomerAdmin)
register(Product, ProductAdmin)
register(Interaction, InteractionAdmin)
register(MarketIndicator, MarketIndicatorAdmin)
register(ImportBatch, ImportBatchAdmin)
register(Snapshot, SnapshotAdmin)
