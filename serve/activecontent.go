package serve

import (
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
)

// AllowActiveContent makes [NewHandler] serve HTML, SVG, XML, JavaScript and all other content in
// the way it was stored, so that browsers show and run it. Anyone who may upload can then run
// scripts in the handler's origin. So serve the handler from a host name of its own, without
// cookies.
func AllowActiveContent() Option {
	return option(func(o *options) {
		o.activeContent = true
	})
}

const typePDF = "application/pdf"

// harmless lists the media types that a browser shows without running anything in the
// origin of the page.
var harmless = []string{
	"application/json", "application/octet-stream", typePDF,
	"image/apng", "image/avif", "image/bmp", "image/gif", "image/heic", "image/heif", "image/jpeg", "image/jxl",
	"image/png", "image/tiff", "image/vnd.microsoft.icon", "image/webp",
	"text/csv", "text/markdown", "text/plain", "text/tab-separated-values",
}

// neutralize sets headers that keep a browser from running anything in the object. The browser shows
// only harmless types, and saves objects of all others.
func neutralize(h http.Header, _ *storage.Attrs) {
	h.Set("X-Content-Type-Options", "nosniff")

	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	// Browsers cannot show a PDF in a sandbox, and never run a PDF in the page's origin.
	if mediaType != typePDF {
		// Add keeps the policy of a middleware, and browsers apply both.
		h.Add("Content-Security-Policy", "sandbox")
	}
	if err != nil || !isHarmless(mediaType) {
		h.Set("Content-Disposition", asAttachment(h.Get("Content-Disposition")))
	}
}

// isHarmless reports whether browsers show content of this type without running anything in it.
func isHarmless(mediaType string) bool {
	if strings.HasSuffix(mediaType, "+xml") {
		return false
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	switch kind {
	case "audio", "font", "video":
		return true
	}
	return slices.Contains(harmless, mediaType)
}

// asAttachment returns a Content-Disposition of type attachment with the file name of disposition.
func asAttachment(disposition string) string {
	kind, parameters, hasParameters := strings.Cut(disposition, ";")
	if strings.EqualFold(strings.TrimSpace(kind), "attachment") {
		return disposition
	}
	if !hasParameters {
		return "attachment"
	}
	return "attachment;" + parameters
}
