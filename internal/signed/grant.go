package signed

import (
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
)

// A Grant is what a signature allows.
type Grant struct {
	Method  string // GET, HEAD or PUT; POST of a form
	Key     string
	Version string
	Expires int64 // seconds since 1970; from then on it is refused

	MinSize, MaxSize int64  // bytes of a body; -1, -1: any
	CRC32C           string // of a body, in 8 hexadecimal digits; "": any
	Attributes       []Attribute

	ResponseType, ResponseDisposition string
}

// maxAhead is how far in the future a grant may end: the longest TTL, and some
// minutes for the clocks of several machines.
const maxAhead = 7*24*time.Hour + 15*time.Minute

// Standing is how a grant stands at a moment.
type Standing int

// A grant is refused for an end too far away too: none was ever signed.
const (
	Unsigned Standing = iota
	Expired
	Good
)

func (g *Grant) standing(now time.Time) Standing {
	switch ends := time.Unix(g.Expires, 0); {
	case !now.Before(ends):
		return Expired
	case ends.Sub(now) > maxAhead:
		return Unsigned
	}
	return Good
}

// grant is what r asks to be signed at now.
func grant(r *storage.SignRequest, now time.Time) (*Grant, error) {
	if len(r.Native) > 0 || r.BaseURL == "" || r.Condition.Revision != "" || r.Condition.NotRevision != "" {
		return nil, storage.Unsupported
	}
	g := &Grant{Method: r.Method, Key: r.Key, Expires: ends(now, r.TTL), MinSize: -1, MaxSize: -1}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		g.Version, g.ResponseType, g.ResponseDisposition = r.Version, r.ResponseType, r.ResponseDisposition()
	case http.MethodPut, http.MethodPost:
		g.MinSize, g.MaxSize = r.MinSize, r.MaxSize
		g.Attributes = attributesOf(r)
		if r.CRC32C != nil {
			g.CRC32C = formatCRC(*r.CRC32C)
		}
	default:
		return nil, storage.Unsupported
	}
	return g, nil
}

// ends is ttl from now on, to the next whole second: never less than was asked.
func ends(now time.Time, ttl time.Duration) int64 {
	end := now.Add(ttl)
	if end.Nanosecond() > 0 {
		return end.Unix() + 1
	}
	return end.Unix()
}

// URL signs the address that r asks for, of the bucket of that name.
func URL(k Keys, bucket string, r *storage.SignRequest, now time.Time) (*storage.SignedURL, error) {
	g, err := grant(r, now)
	if err != nil {
		return nil, err
	}
	if k.None() || g.Method == http.MethodPost {
		return nil, storage.Unsupported
	}
	query := g.query(k.all[0].id)
	signature := k.all[0].signature(g.parts(bucket, query)...)
	header := http.Header{}
	for _, a := range g.Attributes {
		header.Set(a.Name, a.Value)
	}
	return &storage.SignedURL{
		URL:       r.BaseURL + escape.Key(r.Key) + "?" + query + signatureParam + signature,
		Method:    r.Method,
		Header:    header,
		ExpiresAt: time.Unix(g.Expires, 0).UTC(),
	}, nil
}

// parts are what the signature of an address is of.
func (g *Grant) parts(bucket, query string) []string {
	parts := []string{"omnibucket url 1", bucket, g.Method, g.Key, query}
	for _, a := range g.Attributes {
		parts = append(parts, a.Name, a.Value)
	}
	return parts
}

// Open checks a request against the signature in its query. header is what was
// sent: of each header that was signed exactly one, with the value that was
// signed. A Grant is returned with Good alone.
func Open(k Keys, bucket, method, objectKey, query string, header http.Header, now time.Time) (*Grant, Standing) {
	unsignedQuery, signature, found := strings.Cut(query, signatureParam)
	if !found {
		return nil, Unsigned
	}
	g, id, ok := parseQuery(unsignedQuery)
	if !ok {
		return nil, Unsigned
	}
	key, known := k.find(id)
	if !known {
		return nil, Unsigned
	}
	g.Method, g.Key = method, objectKey
	for i := range g.Attributes {
		a := &g.Attributes[i]
		values := header[http.CanonicalHeaderKey(a.Name)]
		if len(values) != 1 {
			return nil, Unsigned
		}
		a.Value = values[0]
	}
	if !key.signed(signature, g.parts(bucket, unsignedQuery)...) {
		return nil, Unsigned
	}
	if s := g.standing(now); s != Good {
		return nil, s
	}
	return g, Good
}
