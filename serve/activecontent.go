package serve

import (
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
)

// AllowActiveContent has NewHandler serve HTML, SVG, XML, JavaScript and all
// other content as it was stored, to be shown and run by browsers. Whoever may
// upload can then run scripts in the handler's origin: serve it from a host of
// its own, without cookies.
func AllowActiveContent() Option {
	return option(func(o *options) { o.activeContent = true })
}

// harmless has the media types that a browser shows without running anything in the
// origin of the page. PDF is not one of them: browsers show none in a sandbox.
var harmless = []string{
	"application/json", "application/octet-stream",
	"image/apng", "image/avif", "image/bmp", "image/gif", "image/heic", "image/heif", "image/jpeg", "image/jxl",
	"image/png", "image/tiff", "image/vnd.microsoft.icon", "image/webp",
	"text/csv", "text/markdown", "text/plain", "text/tab-separated-values",
}

// neutralize makes a browser believe the content type and run nothing of the
// object, and save it unless its type is harmless.
func neutralize(h http.Header, _ *storage.Attrs) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox")
	if !isHarmless(h.Get("Content-Type")) {
		h.Set("Content-Disposition", asAttachment(h.Get("Content-Disposition")))
	}
}

func isHarmless(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	return slices.Contains([]string{"audio", "font", "video"}, kind) || slices.Contains(harmless, mediaType)
}

// asAttachment keeps the file name of a disposition.
func asAttachment(disposition string) string {
	kind, parameters, found := strings.Cut(disposition, ";")
	if strings.EqualFold(strings.TrimSpace(kind), "attachment") {
		return disposition
	}
	if !found {
		return "attachment"
	}
	return "attachment;" + parameters
}
