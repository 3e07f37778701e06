package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/serve"
)

// contentTTL is how long the address of an object's bytes is valid. A page may stay open that long.
const contentTTL = 12 * time.Hour

const (
	typePDF = "application/pdf"
	typeSVG = "image/svg+xml"
)

// pictures are the media types that browsers show as pictures. An SVG is safe, because scripts do
// not run in a picture.
var pictures = []string{
	"image/apng", "image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", typeSVG,
	"image/vnd.microsoft.icon", "image/webp", "image/x-icon",
}

// texts are media types whose content is readable text, in addition to text/….
var texts = []string{
	"application/javascript", "application/json", "application/toml", "application/x-ndjson", "application/x-sh",
	"application/xml", "application/yaml",
}

// mediaTypeOf returns the media type of an object's content type, or that of the key's extension if
// the content type is missing or says nothing.
func mediaTypeOf(contentType, key string) string {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType == "application/octet-stream" || mediaType == "binary/octet-stream" {
		mediaType, _, _ = mime.ParseMediaType(headertext.MediaTypeByExtension(key))
	}
	return mediaType
}

// kindOf returns the kind of preview for a media type, or "none".
func kindOf(mediaType string) string {
	family, _, _ := strings.Cut(mediaType, "/")
	if slices.Contains(pictures, mediaType) {
		return "image"
	}
	if family == "video" || family == "audio" {
		return family
	}
	if mediaType == typePDF {
		return "pdf"
	}
	if family == "text" || isText(mediaType) {
		return "text"
	}
	return "none"
}

// isText reports whether content of a media type other than text/… is readable text.
func isText(mediaType string) bool {
	return slices.Contains(texts, mediaType) ||
		strings.HasSuffix(mediaType, "+json") ||
		strings.HasSuffix(mediaType, "+xml")
}

// hasPreview reports whether a preview of this kind loads the object's bytes from a signed address. A
// PDF has one only if objects have their own origin.
func (h *Handler) hasPreview(kind string) bool {
	switch kind {
	case "image", "video", "audio":
		return true
	case "pdf":
		return h.config.ContentURL != ""
	}
	return false
}

// A content is the object that a signed address names. mediaType is the type for showing it. If
// mediaType is "", the browser saves the object.
type content struct{ bucket, key, version, mediaType string }

// contentURL returns a signed address at which the browser loads an object until the address expires.
func (h *Handler) contentURL(r *http.Request, c content) string {
	expires := strconv.FormatInt(h.config.Now().Add(contentTTL).Unix(), 10)
	q := url.Values{
		"bucket":  {c.bucket},
		"key":     {c.key},
		"version": {c.version},
		"as":      {c.mediaType},
		"expires": {expires},
		"frame":   {""},
	}
	if c.mediaType == typePDF {
		q.Set("frame", pageOrigin(r)) // only this page may show the PDF in a frame
	}
	q.Set("signature", h.signature(q))

	// The address is relative to that of the page.
	address := "content?" + q.Encode()
	if h.config.ContentURL != "" {
		address = h.config.ContentURL + "/" + address
	}
	return address
}

// pageOrigin returns the origin of the page that sends a request. Without a valid header Origin, it is
// that of the request itself.
func pageOrigin(r *http.Request) string {
	origin := r.Header.Get("Origin")
	if isOrigin(origin) {
		return origin
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// signature returns the MAC of an address, which proves that this handler has made it. The MAC also
// covers the length of each value, so that no other address has the same input.
func (h *Handler) signature(q url.Values) string {
	mac := hmac.New(sha256.New, h.key[:])
	for _, name := range []string{"bucket", "key", "version", "as", "expires", "frame"} {
		value := q.Get(name)
		_, _ = mac.Write(binary.AppendUvarint(nil, uint64(len(value))))
		_, _ = mac.Write([]byte(value))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Content returns a handler that serves the bytes of objects at addresses that the page has signed.
// Serve it at the origin of [Config].ContentURL, so that an object cannot use the page's cookies
// and storage. Its addresses do not need the token.
func (h *Handler) Content() http.Handler {
	return http.HandlerFunc(h.serveContent)
}

// serveContent responds with the bytes of an object at an address that the page has signed.
func (h *Handler) serveContent(w http.ResponseWriter, r *http.Request) {
	if !webserver.IsKnownHost(r.Host, h.config.Hosts) {
		http.Error(w, "the name in the header Host is not known", http.StatusMisdirectedRequest)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "only GET and HEAD are allowed", http.StatusMethodNotAllowed)
		return
	}

	// The signature covers the other parameters.
	q := r.URL.Query()
	expires, err := strconv.ParseInt(q.Get("expires"), 10, 64)
	if err != nil || !hmac.Equal([]byte(q.Get("signature")), []byte(h.signature(q))) {
		http.Error(w, "the page has not made this address", http.StatusForbidden)
		return
	}
	if h.config.Now().Unix() > expires {
		http.Error(w, "the address has expired: open the object again", http.StatusForbidden)
		return
	}

	// The parameters come from the page itself, so they need no check.
	c := content{
		bucket:    q.Get("bucket"),
		key:       q.Get("key"),
		version:   q.Get("version"),
		mediaType: q.Get("as"),
	}
	h.sendContent(w, r, c, q.Get("frame"))
}

// sendContent sends an object with headers that keep scripts in it from running. A page of the origin
// frame may show a PDF in a frame.
func (h *Handler) sendContent(w http.ResponseWriter, r *http.Request, c content, frame string) {
	b, _, err := h.source.Bucket(r.Context(), c.bucket)
	if err != nil {
		http.Error(w, "there is no such bucket", http.StatusNotFound)
		return
	}

	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "private, no-store")
	header.Set("Content-Security-Policy", contentPolicy(c.mediaType, frame))
	// The policy has the directive frame-ancestors instead.
	header.Del("X-Frame-Options")
	if h.config.ContentURL != "" {
		// The signature of the address decides who may load the object.
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}

	// Without a media type, the browser saves the object instead of showing it.
	opts := []serve.Option{serve.WithErrorHandler(cannotRead)}
	if c.mediaType == "" {
		header.Set("Content-Type", "application/octet-stream")
		// The saved file has the stored bytes, even if they are compressed.
		header["Content-Encoding"] = nil
		opts = append(opts, serve.WithDownloadName(path.Base(c.key)))
	} else {
		header.Set("Content-Type", c.mediaType)
		header.Set("Content-Disposition", "inline")
	}

	if c.version != "" {
		opts = append(opts, serve.WithDownloadOptions(storage.WithVersion(c.version)))
	}
	serve.Object(w, r, b, c.key, opts...)
}

// contentPolicy returns the content security policy for an object's bytes. Browsers do not show a PDF
// in a sandbox, and need none for it because they run no code of a PDF in the origin of its address.
func contentPolicy(contentType, frame string) string {
	if contentType != typePDF {
		return "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
	}
	return "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors " + frame
}

// cannotRead responds that an object cannot be read, and shows nothing of the error but its code.
func cannotRead(w http.ResponseWriter, _ *http.Request, status int, err error) {
	code := storage.CodeOf(err)
	if errors.Is(err, storage.BucketNotFound) {
		status = http.StatusNotFound
	}
	http.Error(w, "the object cannot be read: "+code.Error(), status)
}
