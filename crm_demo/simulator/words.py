"""Names and sentences of the simulated shop, in English and Simplified Chinese."""


def _words(text: str) -> list[str]:
    return text.split()


FIRST_NAMES = _words(
    "Alice Amir Beatrix Callum Carmen Daniel Daphne Edwin Elena Farah Felix Grace Hamid Hannah Ivan Jasmine "
    "Jonas Katya Leo Lucia Marcus Maya Nadia Noah Olga Oscar Petra Priya Ravi Rosa Samuel Sofia Tariq Una "
    "Victor Wanda Xavier Yasmin Zane Zoe"
)
LAST_NAMES = _words(
    "Abbott Bauer Castillo Dalton Eriksen Fischer Garland Holloway Ibrahim Jansen Keller Lambert Marsh "
    "Novak Okafor Patel Quinn Rossi Sharma Thorne Ueda Vance Whitaker Xanthos Yilmaz Zimmer Ashworth Blythe "
    "Crane Delgado Emery Foss Grant Hale"
)
ZH_SURNAMES = _words("王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗")
ZH_GIVEN = _words(
    "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀英 霞 平 "
    "刚 桂英 建华 文 玉兰 志强 晓燕 海燕 小红 建国"
)
BUSINESS_SUFFIXES = ("Café", "Studio", "Bakery", "Office", "Guesthouse", "Kitchen")
ZH_BUSINESS_SUFFIXES = ("咖啡馆", "工作室", "面包房", "办公室", "民宿", "厨房")

BRANDS = _words(
    "Alder Birchwood Copperleaf Dunmore Eastfield Fernhill Greyfriars Harrow Ivybridge Juniper Kestrel "
    "Larkspur Millbrook Northgate Oakham Pemberley Quayside Rowan Saltmarsh Thistle Underhill Verity "
    "Willow Yarrow"
)
TIERS = ("everyday", "classic", "reserve")

# topic → (English, Simplified Chinese); {product} is filled in
QUESTIONS: dict[str, tuple[str, str]] = {
    "delivery": (
        "When will my order with the {product} arrive?",
        "我订购的{product}什么时候能送到？",
    ),
    "stock": (
        "Is the {product} in stock, and can you keep one for me?",
        "{product}现在有货吗？可以帮我留一件吗？",
    ),
    "use": (
        "How do I use the {product}? There was no leaflet in the box.",
        "{product}应该怎么使用？包装里没有说明书。",
    ),
    "invoice": (
        "Please send me an invoice with our tax number for the {product}.",
        "请给我开一张{product}的发票，需要写上税号。",
    ),
    "returning": (
        "I would like to send the {product} back. What do I have to do?",
        "我想退回{product}，需要怎么办理？",
    ),
    "discount": (
        "Do you give a discount when I order ten of the {product}?",
        "如果一次订购十件{product}，有折扣吗？",
    ),
}
COMPLAINTS: dict[str, tuple[str, str]] = {
    "late": (
        "The {product} is more than a week late and nobody answers my e-mails.",
        "{product}已经晚了一个多星期，而且没有人回复我的邮件。",
    ),
    "damaged": (
        "The {product} arrived damaged. I expect a replacement.",
        "收到的{product}是坏的，请给我换一件。",
    ),
    "wrong": (
        "You sent me something else instead of the {product}, for the second time.",
        "我订的是{product}，你们又发错了货。",
    ),
    "quality": (
        "The {product} is not as good as it used to be. I am disappointed.",
        "{product}的质量不如以前了，我很失望。",
    ),
}
