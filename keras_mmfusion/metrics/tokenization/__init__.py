"""The Penn Treebank tokenizer, as coco-caption applies it."""
