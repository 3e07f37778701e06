package signedurl

import (
	"net/url"
	"strconv"
	"strings"
)

// These are the parameters of a signed URL. A parameter without a value is left out.
const (
	crcParam         = "ob-crc32c"
	expiresParam     = "ob-expires"
	headersParam     = "ob-headers"
	keyParam         = "ob-key"
	partParam        = "ob-part"
	sizeParam        = "ob-size"
	uploadParam      = "ob-upload"
	versionParam     = "ob-version"
	cacheParam       = "response-cache-control"
	dispositionParam = "response-content-disposition"
	typeParam        = "response-content-type"
	signatureParam   = "&ob-signature="
)

// HasParams reports whether a query has parameters of a signed URL, even malformed ones. A request
// with such parameters is never treated as public.
func HasParams(query string) bool {
	return strings.HasPrefix(query, "ob-") || strings.Contains(query, "&ob-")
}

// query returns the query of the signed URL, without the signature. keyID identifies the key that
// signs.
func (g *Grant) query(keyID string) string {
	// A request without a part has the number 0, which the query leaves out.
	part := ""
	if g.Part > 0 {
		part = strconv.Itoa(g.Part)
	}

	values := url.Values{}
	for name, value := range map[string]string{
		crcParam:         textOfCRC(g.CRC32C),
		expiresParam:     strconv.FormatInt(g.Expires, 10),
		headersParam:     g.headerNames(),
		keyParam:         keyID,
		partParam:        part,
		sizeParam:        g.size(),
		uploadParam:      g.Upload,
		versionParam:     g.Version,
		dispositionParam: g.ResponseDisposition,
		typeParam:        g.ResponseType,
		cacheParam:       g.ResponseCacheControl,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values.Encode()
}

// headerNames returns the names of the signed headers, separated by semicolons.
func (g *Grant) headerNames() string {
	names := make([]string, len(g.Attributes))
	for i, a := range g.Attributes {
		names[i] = a.Name
	}
	return strings.Join(names, ";")
}

// size returns the limits of the body's length, such as "1-9", or "" if any length is permitted.
func (g *Grant) size() string {
	if g.MaxSize < 0 {
		return ""
	}
	return strconv.FormatInt(g.MinSize, 10) + "-" + strconv.FormatInt(g.MaxSize, 10)
}

// parseQuery parses the query of a signed URL without its signature and the attributes that come
// from headers.
//
// It ignores invalid values, which only a forged query has, because the caller refuses its
// signature.
func parseQuery(query string) (g *Grant, keyID string) {
	values, _ := url.ParseQuery(query)
	g = &Grant{
		CRC32C:               crcOf(values.Get(crcParam)),
		Upload:               values.Get(uploadParam),
		Version:              values.Get(versionParam),
		MinSize:              -1, // no limit
		MaxSize:              -1, // no limit
		ResponseDisposition:  values.Get(dispositionParam),
		ResponseType:         values.Get(typeParam),
		ResponseCacheControl: values.Get(cacheParam),
	}
	g.Expires, _ = strconv.ParseInt(values.Get(expiresParam), 10, 64)
	g.Part, _ = strconv.Atoi(values.Get(partParam))

	if size := values.Get(sizeParam); size != "" {
		g.MinSize, g.MaxSize, _ = parseSize(size)
	}
	if names := values.Get(headersParam); names != "" {
		for name := range strings.SplitSeq(names, ";") {
			g.Attributes = append(g.Attributes, Attribute{Name: name})
		}
	}
	return g, values.Get(keyParam)
}

// parseSize parses the limits of a body's length, such as "1-9".
func parseSize(text string) (least, most int64, err error) {
	first, last, _ := strings.Cut(text, "-")
	least, err = strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0, err
	}
	most, err = strconv.ParseInt(last, 10, 64)
	return least, most, err
}
