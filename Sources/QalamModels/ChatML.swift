// SPDX-License-Identifier: Apache-2.0

/// The template of the models that Qalam trains: ChatML.
public let chatMLTemplate = """
    {% for message in messages %}<|im_start|>{{ message.role }}
    {{ message.content }}<|im_end|>
    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
    {% endif %}
    """
