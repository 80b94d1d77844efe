"""Texts: pretrained text models, their fine-tuning, classification of texts, and products by their words."""
