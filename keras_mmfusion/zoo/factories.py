"""Factories of pretrained models, by the name of a preset."""

import os

from keras_mmfusion.zoo.presets import resolve_preset


def load_preset(preset, dtype=None):
    """Loads any preset: a model of the class that it was saved with.

    ```python
    model = load_preset("sentiment_mosi")
    ```

    Args:
        preset: string or path. A name of the zoo, a preset folder, a folder with a checkpoint of
            transformers, or a handle such as `"hf://owner/name"` or
            `"hf://owner/name@revision"`.
        dtype: string or `keras.DTypePolicy`, such as `"mixed_bfloat16"`. Defaults to the policy of
            the preset.

    Returns:
        A `keras.Model`, such as `Captioner`.

    Raises:
        ValueError: if there is no such preset; the message names the nearest.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> load_preset("sentiment_mosei")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'sentiment_mosei'...
    """
    folder = _resolve_folder(preset)
    import keras

    from keras_mmfusion.models.presets import preset_folder

    if _is_keras_backbone(folder):
        return _load_backbone(folder, dtype)
    return preset_folder.load_preset(keras.Model, folder, dtype=dtype)


def captioner(
    preset="captioner_flickr8k_lite0",
    weights="pretrained",
    image_encoder=None,
    tokenizer=None,
    dtype=None,
    dim=None,
    num_layers=None,
    num_heads=None,
    dropout=None,
):
    """Loads a pretrained image captioner, or creates an untrained one.

    With `weights=None`, the captioner has the given encoder and a decoder with random weights. It
    preprocesses captions like the preset. Images are preprocessed like those of a checkpoint of
    transformers, if `image_encoder` is the name of one; otherwise like the preset, at the image
    size of the encoder. The preset's scaling, `(x - 127) / 128`, suits `ImageEncoder`; for another
    encoder, set `model.preprocessor.image_converter`.

    Args:
        preset: string or path. A name of the zoo (`"captioner_flickr8k_lite0"` is part of the
            package), a preset folder, a folder with a checkpoint of transformers, or a handle such
            as `"hf://owner/name"` or `"hf://owner/name@revision"`.
        weights: `"pretrained"`, or `None` for an untrained decoder.
        image_encoder: with `weights=None`, a layer or model that maps images to tokens or a feature
            map, with a fixed image size; or the name, path or handle of one, such as
            `"hf://openai/clip-vit-base-patch32"`. Defaults to an untrained `ImageEncoder("lite0")`.
        tokenizer: with `weights=None`, for example `WordTokenizer.from_captions(captions)`.
            Defaults to the tokenizer of the preset.
        dtype: string or `keras.DTypePolicy`, such as `"mixed_bfloat16"`.
        dim, num_layers, num_heads, dropout: with `weights=None`, arguments of `TextDecoder`.

    Returns:
        A `keras_mmfusion.models.Captioner`.

    Raises:
        ValueError: if there is no such preset (the message names the nearest), if the image
            encoder has no fixed image size, or if arguments of an untrained captioner are given
            together with pretrained weights.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> captioner("captioner_flickr8k_lite9")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'captioner_flickr8k_lite9'...
    """
    sizes = {"dim": dim, "num_layers": num_layers, "num_heads": num_heads, "dropout": dropout}
    if weights is None:
        folder = _resolve_folder(preset)
        if isinstance(image_encoder, str | os.PathLike):
            image_encoder = _resolve_folder(image_encoder)
        from keras_mmfusion.zoo.untrained_captioner import create_captioner

        return create_captioner(folder, image_encoder, tokenizer, {"dtype": dtype, **sizes})
    if weights != "pretrained":
        raise ValueError(
            "`weights` must be 'pretrained' or None. To load your own weights, pass their preset "
            f"folder: captioner('path/to/preset'). Received: weights={weights!r}"
        )
    for name, value in {"image_encoder": image_encoder, "tokenizer": tokenizer, **sizes}.items():
        if value is not None:
            raise ValueError(
                f"`{name}` needs `weights=None`: pretrained weights only fit the preset's own. "
                f"Received: {name}={value!r}"
            )
    return _load("Captioner", preset, dtype)


def embedder(preset="image_text_flickr8k", dtype=None):
    """Loads a pretrained model that embeds images and sentences in a shared space.

    `embed` returns their vectors, and `retrieve` finds the nearest:

    ```python
    model = embedder()
    photos = model.embed("image", ["dog.jpg", "beach.jpg"])
    indices, cosines = model.retrieve({"text": ["a dog runs"]}, photos, k=1)
    ```

    Args:
        preset: string or path. A name of the zoo, a preset folder, a folder with a checkpoint of
            transformers, or a handle such as `"hf://owner/name"` or
            `"hf://owner/name@revision"`.
        dtype: string or `keras.DTypePolicy`, such as `"mixed_bfloat16"`.

    Returns:
        A `keras_mmfusion.models.ContrastiveModel` of `"image"` and `"text"`.

    Raises:
        ValueError: if there is no such preset; the message names the nearest.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> embedder("image_text_flickr9k")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'image_text_flickr9k'...
    """
    return _load("ContrastiveModel", preset, dtype)


def image_encoder(
    preset="efficientnet_lite0_imagenet", image_size=None, trainable=True, dtype=None
):
    """Loads a pretrained image encoder.

    Args:
        preset: string or path. A name of the zoo (`"efficientnet_lite0_imagenet"` is faster,
            `"efficientnet_lite2_imagenet"` more accurate), a preset folder, or a handle such as
            `"hf://..."`; or a checkpoint of transformers, of which the image encoder is used.
        image_size: int, tuple `(height, width)`, or `None` for the size of the preset. At another
            size, the position embeddings of a Vision Transformer are resized.
        trainable: bool. Whether the weights are trained.
        dtype: string or `keras.DTypePolicy`, such as `"mixed_bfloat16"`.

    Returns:
        A `keras_mmfusion.encoders.ImageEncoder`: it takes images `(batch, height, width, 3)`, RGB,
        normalized by `(x - 127) / 128`, and returns tokens `(batch, tokens, dim)`. Or the encoder
        of a checkpoint, whose images are normalized as its preprocessor does.

    Raises:
        ValueError: if there is no such preset; the message names the nearest.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> image_encoder("efficientnet_lite0_imagnet")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'efficientnet_lite0_imagnet'...
    """
    folder = _resolve_folder(preset)
    from keras_mmfusion.zoo.image_encoder_loading import load_encoder

    return load_encoder(folder, image_size, trainable, dtype)


def language_model(preset, dtype=None):
    """Loads a pretrained language model.

    It is a `keras_hub.models.CausalLM`. Of chat models, `preprocessor.tokenize_chat` converts
    messages to token ids as the model expects them:

    ```python
    model = language_model("hf://HuggingFaceTB/SmolLM2-135M-Instruct")
    ids = model.preprocessor.tokenize_chat([{"role": "user", "content": "Name three colors."}])
    ```

    Args:
        preset: string or path. A GGUF file, whose name ends with `.gguf`; a folder with a
            checkpoint of transformers, or its handle, such as `"hf://owner/name"` or
            `"hf://owner/name@revision"`; a preset folder; or a handle of a preset of KerasHub,
            such as `"kaggle://..."`.
        dtype: string or `keras.DTypePolicy`, such as `"bfloat16"`; or `"int8"`.

    Returns:
        A `keras_mmfusion.models.LlamaLanguageModel` or `Gpt2LanguageModel`; or, for other model
        types, the `keras_hub.models.CausalLM` that KerasHub loads.

    Raises:
        OSError: if there is no such GGUF file.
        ValueError: if the preset is not a language model, or is damaged.

    Example:

    >>> language_model("smollm2.gguf")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'smollm2.gguf'
    """
    is_file = os.fspath(preset).lower().endswith(".gguf")
    path = os.path.expanduser(preset) if is_file else _resolve_folder(preset)
    from keras_mmfusion.checkpoints.language_model_loading import load_language_model

    return load_language_model(path, dtype=dtype)


def recommender(preset, dtype=None):
    """Loads a trained recommender.

    ```python
    model = recommender("my_recommender")
    items, scores = model.recommend(["42"], k=10)  # unseen items for user 42
    ```

    The weights of a recommender contain the interactions of its users, so that the zoo has none:
    train one with `train_recommender`, and save it with `save_to_preset`.

    Args:
        preset: string or path. A preset folder, or a handle such as `"hf://..."`.
        dtype: string or `keras.DTypePolicy`, such as `"mixed_bfloat16"`.

    Returns:
        A `keras_mmfusion.models.Recommender` of the class that was saved.

    Raises:
        ValueError: if there is no such preset.

    Example:

    >>> recommender("no_such_folder")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'no_such_folder'...
    """
    return _load("Recommender", preset, dtype)


def sentiment(preset="sentiment_mosi", dtype=None):
    """Loads a pretrained sentiment model of the utterances of videos.

    It takes features of the utterances in their order in the video, and returns a logit for each,
    above 0 for positive:

    ```python
    model = sentiment()
    logits = model.predict({"text": text, "audio": audio, "video": video})
    ```

    `sentiment_mosi`, which is part of the package, expects the features of Poria et al., 2017:
    `text` `(videos, utterances, 100)`, `audio` `(videos, utterances, 73)` and `video`
    `(videos, utterances, 100)`. A modality may be omitted, or masked by `"<modality>_mask"`, bool
    `(videos, utterances)`; for padding, every modality is masked.

    Args:
        preset: string or path. A name of the zoo, a preset folder, or a handle such as
            `"hf://owner/name"` or `"hf://owner/name@revision"`.
        dtype: string or `keras.DTypePolicy`, such as `"mixed_bfloat16"`.

    Returns:
        A `keras_mmfusion.models.ConversationModel`.

    Raises:
        ValueError: if there is no such preset; the message names the nearest.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> import numpy as np
    >>> model = sentiment()
    >>> tuple(model({"text": np.zeros((1, 4, 100))}).shape)  # four utterances, only their text
    (1, 4, 1)
    """
    return _load("ConversationModel", preset, dtype)


def vqa(preset="vqa_easy", dtype=None):
    """Loads a pretrained model that answers questions about images.

    `vqa_easy`, which is part of the package, answers questions about the color and the shape of one
    circle, rectangle or triangle on a light background, in English. Its answers about other images
    are meaningless. For photos, load a public checkpoint:

    ```python
    model = vqa("hf://Salesforce/blip-vqa-base")
    model.answer("photo.jpg", "how many dogs are there?")
    ```

    `vqa_coco`, `vqa_daquar`, and `vqa_rad` are small models of the zoo, trained on little data;
    their model cards state how often they are wrong.

    Args:
        preset: string or path. A name of the zoo, a preset folder, a folder with a checkpoint of
            transformers, or a handle such as `"hf://owner/name"` or `"hf://owner/name@revision"`.
        dtype: string or `keras.DTypePolicy`, such as `"mixed_bfloat16"`.

    Returns:
        A `keras_mmfusion.models.QuestionAnsweringModel`, such as `QuestionAnswerer`.

    Raises:
        ValueError: if there is no such preset, or it is not a question answerer.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> from PIL import Image, ImageDraw
    >>> image = Image.new("RGB", (64, 64), (240, 240, 250))
    >>> ImageDraw.Draw(image).ellipse((20, 24, 40, 44), fill="red")
    >>> vqa().answer(image, ["what color is the shape?", "is there a triangle?"])
    ['red', 'no']
    """
    return _load("QuestionAnsweringModel", preset, dtype)


def _load(class_name, preset, dtype):
    folder = resolve_preset(preset)  # Before Keras is imported, which takes seconds.
    from keras_mmfusion import models

    return getattr(models, class_name).from_preset(folder, dtype=dtype)


def _resolve_folder(preset):
    """Resolves a preset and downloads an hf:// handle; returns other handles unchanged."""
    folder = resolve_preset(preset)
    if not folder.startswith("hf://"):
        return folder
    from keras_mmfusion.models.presets.hub_files import fetch_from_hub

    return str(fetch_from_hub(folder.removeprefix("hf://")))


def _is_keras_backbone(folder):
    from keras_mmfusion.models.presets.hub_files import is_transformers_checkpoint

    if os.path.isfile(os.path.join(folder, "task.json")) or is_transformers_checkpoint(folder):
        return False
    return os.path.isfile(os.path.join(folder, "config.json"))


def _load_backbone(folder, dtype):
    import keras_hub

    from keras_mmfusion.files.json_files import read_json
    from keras_mmfusion.models.presets.registered_classes import register_classes

    register_classes(read_json(os.path.join(folder, "config.json")))
    return keras_hub.models.Backbone.from_preset(folder, **({"dtype": dtype} if dtype else {}))
