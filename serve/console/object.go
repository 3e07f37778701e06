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

// A pair is a name and a value that the page shows.
type pair [2]string

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
	Kind       string    `json:"kind"`
	View       string    `json:"view"`
	Download   string    `json:"download"`
}

// object returns all attributes of an object, and the addresses of its bytes.
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
		tags, err := storage.Tags(r.Context(), b, key, opts...)
		if err != nil && storage.CodeOf(err) != storage.PermissionDenied {
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

// pairs returns the entries of a map, sorted by name. The result is never nil, so that its JSON is
// an array.
func pairs(m map[string]string) []pair {
	all := []pair{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, pair{name, m[name]})
	}
	return all
}

// attributes returns the attributes that only some objects have, such as a content encoding. It
// leaves out empty ones.
func attributes(a *storage.Attrs) []pair {
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	flag := func(set bool, text string) string {
		if set {
			return text
		}
		return ""
	}
	all := []pair{
		{"Content encoding", a.ContentEncoding}, {"Content disposition", a.ContentDisposition},
		{"Content language", a.ContentLanguage}, {"Cache control", a.CacheControl}, {"Storage class", a.StorageClass},
		{"ETag", a.ETag}, {"Revision", a.Revision}, {"Version", a.Version},
		{"CRC32C", flag(a.CRC32C.Known, a.CRC32C.String())}, {"MD5", hex.EncodeToString(a.MD5)},
		{"Encryption", a.Encryption.Algorithm}, {"Encryption key", a.Encryption.KeyID},
		{"Replication", a.ReplicationStatus}, {"Archived", flag(a.Archived, "yes")},
		{"Restore", flag(a.Restore.InProgress, "in progress")}, {"Restored until", moment(a.Restore.Until)},
		{"Retention", string(a.Retention.Mode)}, {"Retained until", moment(a.Retention.Until)},
		{"Legal hold", flag(a.LegalHold, "yes")},
	}
	return slices.DeleteFunc(all, func(p pair) bool { return p[1] == "" })
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
	if storage.CodeOf(err) == storage.RangeNotSatisfiable { // the object is empty
		content = nil
		attrs = &storage.Attrs{}
		err = nil
	}
	if err != nil {
		return nil, err
	}
	_, end := words.WholeCharacters(content, false, attrs.Size > int64(len(content)))
	return struct {
		Text  string `json:"text"`
		Size  int64  `json:"size"`
		Shown int    `json:"shown"`
	}{decoded(content[:end]), attrs.Size, end}, nil
}

// decoded returns the text of UTF-8 bytes. If they begin with the byte order mark of UTF-16, which
// some Windows programs write, it decodes UTF-16.
func decoded(text []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return strings.ToValidUTF8(string(bytes.TrimPrefix(text, []byte("\ufeff"))), "\ufffd")
	}
	units := make([]uint16, len(text)/2-1)
	for i := range units {
		units[i] = order.Uint16(text[2+2*i:])
	}
	return string(utf16.Decode(units))
}

// link returns a signed URL. Until it expires, anyone can read the object with it.
func (h *Handler) link(r *http.Request) (any, error) {
	var params struct {
		Bucket, Key, Version string
		Seconds              int64
	}
	if err := document(r, &params); err != nil {
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

	if len(signedURL.Header) > 0 {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Key:  params.Key,
			Hint: "a link to this object needs headers, which a browser does not send",
		}
	}
	return map[string]any{"url": signedURL.URL, "expires": signedURL.ExpiresAt, "local": isLocal(signedURL.URL)}, nil
}

// isLocal reports whether an address names the local machine, such as localhost. A link with such
// an address is useless on another machine.
func isLocal(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
		return true
	}
	return u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".localhost")
}
