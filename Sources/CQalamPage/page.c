// SPDX-License-Identifier: Apache-2.0

// The page's files, put into the program as they are. Those of its libraries are there once scripts/page-libraries.sh
// has run (`make libraries` does it); without them the page shows answers as plain text.

#include "qalam_page.h"

// `#embed` belongs to C23, and has long been understood by the compiler in older C, too.
#pragma clang diagnostic ignored "-Wc23-extensions"

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define JS "text/javascript; charset=utf-8"
#define SVG "image/svg+xml"
#define PNG "image/png"
#define MANIFEST "application/manifest+json"

static const uint8_t answers_js[] = {
#embed "files/answers.js"
};
static const uint8_t app_js[] = {
#embed "files/app.js"
};
static const uint8_t chats_js[] = {
#embed "files/chats.js"
};
static const uint8_t client_js[] = {
#embed "files/client.js"
};
static const uint8_t code_js[] = {
#embed "files/code.js"
};
static const uint8_t composer_js[] = {
#embed "files/composer.js"
};
static const uint8_t draw_draw_js[] = {
#embed "files/draw/draw.js"
};
static const uint8_t draw_gallery_js[] = {
#embed "files/draw/gallery.js"
};
static const uint8_t draw_images_js[] = {
#embed "files/draw/images.js"
};
static const uint8_t draw_mask_js[] = {
#embed "files/draw/mask.js"
};
static const uint8_t export_js[] = {
#embed "files/export.js"
};
static const uint8_t icon_192_png[] = {
#embed "files/icon-192.png"
};
static const uint8_t icon_512_png[] = {
#embed "files/icon-512.png"
};
static const uint8_t icon_svg[] = {
#embed "files/icon.svg"
};
static const uint8_t index_html[] = {
#embed "files/index.html"
};
static const uint8_t keys_js[] = {
#embed "files/keys.js"
};
static const uint8_t labels_js[] = {
#embed "files/labels.js"
};
static const uint8_t manifest_webmanifest[] = {
#embed "files/manifest.webmanifest"
};
static const uint8_t markdown_js[] = {
#embed "files/markdown.js"
};
static const uint8_t maths_js[] = {
#embed "files/maths.js"
};
static const uint8_t menus_js[] = {
#embed "files/menus.js"
};
static const uint8_t message_js[] = {
#embed "files/message.js"
};
static const uint8_t models_js[] = {
#embed "files/models.js"
};
static const uint8_t parts_js[] = {
#embed "files/parts.js"
};
static const uint8_t pictures_js[] = {
#embed "files/pictures.js"
};
static const uint8_t settings_js[] = {
#embed "files/settings.js"
};
static const uint8_t shortcuts_js[] = {
#embed "files/shortcuts.js"
};
static const uint8_t sidebar_js[] = {
#embed "files/sidebar.js"
};
static const uint8_t start_js[] = {
#embed "files/start.js"
};
static const uint8_t state_js[] = {
#embed "files/state.js"
};
static const uint8_t thread_js[] = {
#embed "files/thread.js"
};
static const uint8_t translate_js[] = {
#embed "files/translate.js"
};
static const uint8_t tree_js[] = {
#embed "files/tree.js"
};
static const uint8_t usage_js[] = {
#embed "files/usage.js"
};
static const uint8_t words_ar_js[] = {
#embed "files/words-ar.js"
};
static const uint8_t words_en_js[] = {
#embed "files/words-en.js"
};
static const uint8_t words_js[] = {
#embed "files/words.js"
};

// One file for all styles: each request costs more than its bytes.
static const uint8_t style_css[] = {
#embed "files/styles/base.css" suffix(, )
#embed "files/styles/frame.css" suffix(, )
#embed "files/styles/thread.css" suffix(, )
#embed "files/styles/panels.css" suffix(, )
#embed "files/styles/draw.css"
};

#if __has_include("files/libraries/table.inc")
#include "files/libraries/table.inc"
#else
#define LIBRARIES
#endif

static const page_file files[] = {
    {"/answers.js", JS, answers_js, sizeof answers_js},
    {"/app.js", JS, app_js, sizeof app_js},
    {"/chats.js", JS, chats_js, sizeof chats_js},
    {"/client.js", JS, client_js, sizeof client_js},
    {"/code.js", JS, code_js, sizeof code_js},
    {"/composer.js", JS, composer_js, sizeof composer_js},
    {"/draw/draw.js", JS, draw_draw_js, sizeof draw_draw_js},
    {"/draw/gallery.js", JS, draw_gallery_js, sizeof draw_gallery_js},
    {"/draw/images.js", JS, draw_images_js, sizeof draw_images_js},
    {"/draw/mask.js", JS, draw_mask_js, sizeof draw_mask_js},
    {"/export.js", JS, export_js, sizeof export_js},
    {"/icon-192.png", PNG, icon_192_png, sizeof icon_192_png},
    {"/icon-512.png", PNG, icon_512_png, sizeof icon_512_png},
    {"/icon.svg", SVG, icon_svg, sizeof icon_svg},
    {"/", HTML, index_html, sizeof index_html},
    {"/keys.js", JS, keys_js, sizeof keys_js},
    {"/labels.js", JS, labels_js, sizeof labels_js},
    {"/manifest.webmanifest", MANIFEST, manifest_webmanifest, sizeof manifest_webmanifest},
    {"/markdown.js", JS, markdown_js, sizeof markdown_js},
    {"/maths.js", JS, maths_js, sizeof maths_js},
    {"/menus.js", JS, menus_js, sizeof menus_js},
    {"/message.js", JS, message_js, sizeof message_js},
    {"/models.js", JS, models_js, sizeof models_js},
    {"/parts.js", JS, parts_js, sizeof parts_js},
    {"/pictures.js", JS, pictures_js, sizeof pictures_js},
    {"/settings.js", JS, settings_js, sizeof settings_js},
    {"/shortcuts.js", JS, shortcuts_js, sizeof shortcuts_js},
    {"/sidebar.js", JS, sidebar_js, sizeof sidebar_js},
    {"/start.js", JS, start_js, sizeof start_js},
    {"/state.js", JS, state_js, sizeof state_js},
    {"/thread.js", JS, thread_js, sizeof thread_js},
    {"/translate.js", JS, translate_js, sizeof translate_js},
    {"/tree.js", JS, tree_js, sizeof tree_js},
    {"/usage.js", JS, usage_js, sizeof usage_js},
    {"/words-ar.js", JS, words_ar_js, sizeof words_ar_js},
    {"/words-en.js", JS, words_en_js, sizeof words_en_js},
    {"/words.js", JS, words_js, sizeof words_js},
    {"/style.css", CSS, style_css, sizeof style_css},
    LIBRARIES
};

const page_file *_Nonnull page_files(size_t *_Nonnull count) {
    *count = sizeof files / sizeof *files;
    return files;
}
