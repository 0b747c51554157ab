"""What transformers, peft and tokenizers say about folders that srcode wrote. A question as JSON on stdin, the answer on stdout.

{"model": dir, "adapter": dir | null, "sequences": [[id]]} -> {"logProbs": [x], "missing": [name], "unexpected": [name]}
{"tokenizer": dir, "texts": [text]} -> {"ids": [[id]], "texts": [text]}
"""
import json
import sys


def ask_model(model, adapter, sequences):
    import models

    loaded, notes = models.load(model), {"missing": [], "unexpected": []}
    if adapter:
        from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
        from safetensors.torch import load_file

        loaded = get_peft_model(loaded, LoraConfig.from_pretrained(adapter)).eval()
        result = set_peft_model_state_dict(loaded, load_file(f"{adapter}/adapter_model.safetensors"))
        notes = {"missing": [n for n in result.missing_keys if "lora_" in n], "unexpected": list(result.unexpected_keys)}
    return {"logProbs": models.log_probs(loaded, sequences).tolist()} | notes


def ask_tokenizer(tokenizer, texts):
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    ids = [loaded(text, add_special_tokens=False)["input_ids"] for text in texts]
    return {"ids": ids, "texts": [loaded.decode(each) for each in ids]}


question = json.load(sys.stdin)
json.dump(ask_tokenizer(**question) if "tokenizer" in question else ask_model(**question), sys.stdout)
