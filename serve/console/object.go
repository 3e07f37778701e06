package console

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/words"
)

// maxText is the largest number of bytes of a text that the preview shows.
const maxText = 256 << 10

// A pair is a name and a value that the page shows. Its JSON is an array of both.
type pair [2]string

// An objectView has all that the page shows about one object.
type objectView struct {
	Key        string    `json:"key"`
	Size       int64     `json:"size"`
	Modified   time.Time `json:"modified,omitzero"`
	Revision   string    `json:"revision"`
	Version    string    `json:"version"`
	Type       string    `json:"type"`
	Attributes []pair    `json:"attributes"`
	Metadata   []pair    `json:"metadata"`
	Tags       []pair    `json:"tags"` // nil if the store does not support tags
	Kind       string    `json:"kind"` // kind of the preview
	View       string    `json:"view"` // address of the bytes for the preview, or ""
	Download   string    `json:"download"`
}

// object returns the attributes and tags of an object, and the addresses at which the browser loads
// its bytes.
func (h *Handler) object(r *http.Request) (any, error) {
	b, key, version, err := h.requestedObject(r)
	if err != nil {
		return nil, err
	}

	var opts []storage.AttrsOption
	if version != "" {
		opts = append(opts, storage.WithVersion(version))
	}
	attrs, err := b.Attrs(r.Context(), key, opts...)
	if err != nil {
		return nil, err
	}

	view := objectView{
		Key:        key,
		Size:       attrs.Size,
		Modified:   attrs.Modified,
		Revision:   attrs.Revision,
		Version:    attrs.Version,
		Type:       attrs.ContentType,
		Attributes: attributes(attrs),
		Metadata:   pairs(attrs.Metadata),
	}

	if storage.Supports(b, storage.ObjectTags) {
		// Without permission to read the tags, the page shows none.
		tags, err := storage.Tags(r.Context(), b, key, opts...)
		isDenied := storage.CodeOf(err) == storage.PermissionDenied
		if err != nil && !isDenied {
			return nil, err
		}
		view.Tags = pairs(tags)
	}

	c := content{bucket: r.URL.Query().Get("bucket"), key: key, version: version}
	view.Download = h.contentURL(r, c)

	mediaType := mediaTypeOf(attrs.ContentType, key)
	view.Kind = kindOf(mediaType)
	if h.hasPreview(view.Kind) {
		c.mediaType = mediaType
		view.View = h.contentURL(r, c)
	}
	return view, nil
}

// pairs returns the entries of a map sorted by name, and never nil, so that their JSON is an array.
func pairs(m map[string]string) []pair {
	sorted := []pair{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		sorted = append(sorted, pair{name, m[name]})
	}
	return sorted
}

// attributes returns the attributes that only some objects have, such as a content encoding, if they
// are set.
func attributes(attrs *storage.Attrs) []pair {
	rows := []struct{ name, value string }{
		{"Content encoding", attrs.ContentEncoding},
		{"Content disposition", attrs.ContentDisposition},
		{"Content language", attrs.ContentLanguage},
		{"Cache control", attrs.CacheControl},
		{"Storage class", attrs.StorageClass},
		{"ETag", attrs.ETag},
		{"Revision", attrs.Revision},
		{"Version", attrs.Version},
		{"CRC32C", textIf(attrs.CRC32C.Known, attrs.CRC32C.String())},
		{"MD5", hex.EncodeToString(attrs.MD5)},
		{"Encryption", attrs.Encryption.Algorithm},
		{"Encryption key", attrs.Encryption.KeyID},
		{"Replication", attrs.ReplicationStatus},
		{"Archived", textIf(attrs.Archived, "yes")},
		{"Restore", textIf(attrs.Restore.InProgress, "in progress")},
		{"Restored until", formatTime(attrs.Restore.Until)},
		{"Retention", string(attrs.Retention.Mode)},
		{"Retained until", formatTime(attrs.Retention.Until)},
		{"Legal hold", textIf(attrs.LegalHold, "yes")},
	}

	shown := []pair{}
	for _, row := range rows {
		if row.value != "" {
			shown = append(shown, pair{row.name, row.value})
		}
	}
	return shown
}

// textIf returns text if the condition is true, and otherwise "".
func textIf(condition bool, text string) string {
	if !condition {
		return ""
	}
	return text
}

// formatTime returns a time in UTC, or "" for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// A textView is the beginning of a text.
type textView struct {
	Text  string `json:"text"`
	Size  int64  `json:"size"`  // bytes of the object
	Shown int    `json:"shown"` // bytes of the object that Text shows
}

// text returns the beginning of an object as text.
func (h *Handler) text(r *http.Request) (any, error) {
	b, key, version, err := h.requestedObject(r)
	if err != nil {
		return nil, err
	}

	opts := []storage.DownloadOption{storage.WithRange(0, maxText)}
	if version != "" {
		opts = append(opts, storage.WithVersion(version))
	}

	content, attrs, err := storage.ReadAll(r.Context(), b, key, opts...)
	if storage.CodeOf(err) == storage.RangeNotSatisfiable {
		// The object is empty.
		return textView{}, nil
	}
	if err != nil {
		return nil, err
	}

	// The text must not end within a character.
	isCut := attrs.Size > int64(len(content))
	_, end := words.WholeCharacters(content, false, isCut)
	return textView{Text: decodeText(content[:end]), Size: attrs.Size, Shown: end}, nil
}

// decodeText decodes UTF-8, or UTF-16 if the text begins with a byte order mark of UTF-16, as some
// Windows programs write it.
func decodeText(text []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return strings.ToValidUTF8(string(bytes.TrimPrefix(text, []byte("\ufeff"))), "\ufffd")
	}

	// Skip the byte order mark.
	text = text[2:]
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16(text[2*i:])
	}
	return string(utf16.Decode(units))
}

// A linkView is a link for others.
type linkView struct {
	Expires time.Time `json:"expires"`
	Local   bool      `json:"local"` // true if only this machine can use the link
	URL     string    `json:"url"`
}

// link returns a signed URL with which anyone can read the object until the URL expires.
func (h *Handler) link(r *http.Request) (any, error) {
	var params struct {
		Bucket, Key, Version string
		Seconds              int64
	}
	if err := decodeBody(r, &params); err != nil {
		return nil, err
	}

	const maxSeconds = 7 * 24 * 60 * 60
	if params.Seconds < 1 || params.Seconds > maxSeconds {
		return nil, invalidArgument("seconds", "must be from 1 to "+strconv.Itoa(maxSeconds))
	}

	b, _, err := h.source.Bucket(r.Context(), params.Bucket)
	if err != nil {
		return nil, err
	}

	opts := []storage.SignedDownloadOption{storage.WithTTL(time.Duration(params.Seconds) * time.Second)}
	if params.Version != "" {
		opts = append(opts, storage.WithVersion(params.Version))
	}
	signedURL, err := b.SignedDownloadURL(r.Context(), params.Key, opts...)
	if err != nil {
		return nil, err
	}

	// Some stores sign headers, too, which the reader of a link cannot send.
	if len(signedURL.Header) > 0 {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Key:  params.Key,
			Hint: "a link to this object needs headers, which a browser does not send",
		}
	}
	return linkView{
		Expires: signedURL.ExpiresAt,
		Local:   isLocal(signedURL.URL),
		URL:     signedURL.URL,
	}, nil
}

// isLocal reports whether the host of an address is this machine, so that a link with that address
// is useless on another machine.
func isLocal(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}

	host := u.Hostname()
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
