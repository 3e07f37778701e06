package signedurl

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/urlpath"
)

// The parameters of a signed URL, in their order. Empty ones are left out.
const (
	crcParam         = "ob-crc32c"
	expiresParam     = "ob-expires"
	headersParam     = "ob-headers"
	keyParam         = "ob-key"
	partParam        = "ob-part"
	sizeParam        = "ob-size"
	uploadParam      = "ob-upload"
	versionParam     = "ob-version"
	dispositionParam = "response-content-disposition"
	typeParam        = "response-content-type"
	signatureParam   = "&ob-signature="
)

// HasParams reports whether a query has parameters of a signed URL, however broken
// they are. Such a request is not treated as a public one.
func HasParams(query string) bool {
	return strings.HasPrefix(query, "ob-") || strings.Contains(query, "&ob-")
}

// query returns the signed part of a signed URL's query.
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
		b.WriteString(urlpath.Escape(value))
	}
	add(crcParam, g.CRC32C)
	add(expiresParam, strconv.FormatInt(g.Expires, 10))
	add(headersParam, g.headerNames())
	add(keyParam, keyID)
	if g.Part > 0 {
		add(partParam, strconv.Itoa(g.Part))
	}
	add(sizeParam, g.size())
	add(uploadParam, g.Upload)
	add(versionParam, g.Version)
	add(dispositionParam, g.ResponseDisposition)
	add(typeParam, g.ResponseType)
	return b.String()
}

func (g *Grant) headerNames() string {
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

// parseQuery parses a result of query. It need not refuse other spellings of a value:
// the text itself is signed. The attributes have no values yet.
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
		case partParam:
			g.Part, err = strconv.Atoi(value)
		case uploadParam:
			g.Upload = value
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
