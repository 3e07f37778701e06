package signed

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/escape"
)

// The parameters of a signed address, in the order in which they stand; those
// that say nothing are left out.
const (
	crcParam         = "ob-crc32c"
	expiresParam     = "ob-expires"
	headersParam     = "ob-headers"
	keyParam         = "ob-key"
	sizeParam        = "ob-size"
	versionParam     = "ob-version"
	dispositionParam = "response-content-disposition"
	typeParam        = "response-content-type"
	signatureParam   = "&ob-signature="
)

// Claimed reports whether a query is meant to be a signed one, however broken:
// it is then no public request either.
func Claimed(query string) bool {
	return strings.HasPrefix(query, "ob-") || strings.Contains(query, "&ob-")
}

// query is all of a signed address's query that is signed.
func (g *Grant) query(keyID string) string {
	var b strings.Builder
	add := func(name, value string) {
		if value == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(escape.Key(value))
	}
	add(crcParam, g.CRC32C)
	add(expiresParam, strconv.FormatInt(g.Expires, 10))
	add(headersParam, g.names())
	add(keyParam, keyID)
	add(sizeParam, g.size())
	add(versionParam, g.Version)
	add(dispositionParam, g.ResponseDisposition)
	add(typeParam, g.ResponseType)
	return b.String()
}

// names are the headers that have to be sent.
func (g *Grant) names() string {
	names := make([]string, len(g.Attributes))
	for i, a := range g.Attributes {
		names[i] = a.Name
	}
	return strings.Join(names, ";")
}

func (g *Grant) size() string {
	if g.MaxSize < 0 {
		return ""
	}
	return strconv.FormatInt(g.MinSize, 10) + "-" + strconv.FormatInt(g.MaxSize, 10)
}

// parseQuery reads what query wrote. It is the text itself that is signed, so
// that one which says the same in another way is refused there. Attributes have
// no values yet.
func parseQuery(query string) (g *Grant, keyID string, ok bool) {
	g = &Grant{MinSize: -1, MaxSize: -1}
	for pair := range strings.SplitSeq(query, "&") {
		name, escaped, _ := strings.Cut(pair, "=")
		value, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, "", false
		}
		switch name {
		case crcParam:
			g.CRC32C = value
		case expiresParam:
			g.Expires, err = strconv.ParseInt(value, 10, 64)
		case headersParam:
			g.Attributes = namedAttributes(value)
		case keyParam:
			keyID = value
		case sizeParam:
			g.MinSize, g.MaxSize, err = parseSize(value)
		case versionParam:
			g.Version = value
		case dispositionParam:
			g.ResponseDisposition = value
		case typeParam:
			g.ResponseType = value
		default:
			return nil, "", false
		}
		if err != nil {
			return nil, "", false
		}
	}
	return g, keyID, true
}

func namedAttributes(names string) []Attribute {
	var attributes []Attribute
	for name := range strings.SplitSeq(names, ";") {
		attributes = append(attributes, Attribute{Name: name})
	}
	return attributes
}

func parseSize(text string) (least, most int64, err error) {
	from, to, _ := strings.Cut(text, "-")
	if least, err = strconv.ParseInt(from, 10, 64); err == nil {
		most, err = strconv.ParseInt(to, 10, 64)
	}
	return least, most, err
}
