package s3server

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type corsConfiguration struct {
	XMLName xml.Name       `xml:"CORSConfiguration"`
	Xmlns   string         `xml:"xmlns,attr,omitempty"`
	Rules   []corsRule     `xml:"CORSRule"`
	Unknown xmldoc.Unknown `xml:",any"`
}

type corsRule struct {
	ID             string         `xml:",omitempty"`
	AllowedOrigins []string       `xml:"AllowedOrigin"`
	AllowedMethods []string       `xml:"AllowedMethod"`
	AllowedHeaders []string       `xml:"AllowedHeader"`
	ExposeHeaders  []string       `xml:"ExposeHeader"`
	MaxAgeSeconds  *int           `xml:",omitempty"`
	Unknown        xmldoc.Unknown `xml:",any"`
}

func putCORS(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	var asked corsConfiguration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if err := asked.check(); err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.cors = &asked
		return nil
	})
}

func (c *corsConfiguration) check() error {
	const maxRules = 100
	if len(c.Rules) == 0 || len(c.Rules) > maxRules || len(c.Unknown) > 0 {
		return s3error.New("MalformedXML")
	}
	for _, rule := range c.Rules {
		if len(rule.AllowedOrigins) == 0 || len(rule.AllowedMethods) == 0 || len(rule.Unknown) > 0 {
			return s3error.New("MalformedXML")
		}
		for _, method := range rule.AllowedMethods {
			if !slices.Contains([]string{"GET", "PUT", "HEAD", "POST", "DELETE"}, method) {
				return s3error.New("InvalidRequest").WithMessage("Found unsupported HTTP method in CORS config. Unsupported method is %s", method)
			}
		}
		for _, pattern := range slices.Concat(rule.AllowedOrigins, rule.AllowedHeaders) {
			if strings.Count(pattern, "*") > 1 {
				return s3error.New("InvalidRequest").WithMessage("AllowedOrigin %q can not have more than one wildcard.", pattern)
			}
		}
		for _, name := range rule.ExposeHeaders {
			if strings.Contains(name, "*") {
				return s3error.New("InvalidRequest").WithMessage("ExposeHeader %q contains wildcard. We currently do not support wildcard for ExposeHeader.", name)
			}
		}
	}
	return nil
}

func getCORS(r *request) error {
	var response corsConfiguration
	err := r.view(func(b *bucket) error {
		if b.cors == nil {
			return s3error.New("NoSuchCORSConfiguration", "BucketName", b.name)
		}
		response.Rules = b.cors.Rules
		return nil
	})
	if err != nil {
		return err
	}
	response.Xmlns = xmldoc.Namespace
	return r.writeXML(response)
}

func deleteCORS(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.cors = nil
		return nil
	})
}

// allows reports whether a page of this origin may send the method with the headers,
// which are in lower case.
func (c *corsRule) allows(origin, method string, headers []string) bool {
	if !wildcard.AnyOneStar(c.AllowedOrigins, origin) || !slices.Contains(c.AllowedMethods, method) {
		return false
	}
	for _, name := range headers {
		if !slices.ContainsFunc(c.AllowedHeaders, func(pattern string) bool { return wildcard.MatchOneStar(strings.ToLower(pattern), name) }) {
			return false
		}
	}
	return true
}

// write adds the headers of a response to a page of origin.
func (c *corsRule) write(header http.Header, origin string) {
	if slices.Contains(c.AllowedOrigins, "*") {
		header.Set("Access-Control-Allow-Origin", "*")
	} else {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	header.Set("Access-Control-Allow-Methods", strings.Join(c.AllowedMethods, ", "))
	if len(c.ExposeHeaders) > 0 {
		header.Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ", "))
	}
	if c.MaxAgeSeconds != nil {
		header.Set("Access-Control-Max-Age", strconv.Itoa(*c.MaxAgeSeconds))
	}
	header.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

// matchingRule returns the first rule that allows this, or nil.
func matchingRule(r *request, origin, method string, headers []string) *corsRule {
	b, err := r.server.store.bucket(r.Context(), r.target.bucket)
	if err != nil || b.cors == nil {
		return nil
	}
	for i := range b.cors.Rules {
		if rule := &b.cors.Rules[i]; rule.allows(origin, method, headers) {
			return rule
		}
	}
	return nil
}

// corsHeaders lets the page that sent the request read the response, if a rule allows
// it. Without a rule, the browser fails and not the request.
func (r *request) corsHeaders() {
	origin := r.Header.Get("Origin")
	if origin == "" || r.operation == "Preflight" {
		return
	}
	// S3 goes by the headers of a preflight request in other requests, too.
	method := r.Method
	if asked := r.Header.Get("Access-Control-Request-Method"); asked != "" {
		method = asked
	}
	if rule := matchingRule(r, origin, method, requestedHeaders(r)); rule != nil {
		rule.write(r.w.Header(), origin)
	}
}

// requestedHeaders returns the headers of Access-Control-Request-Headers, in lower case.
func requestedHeaders(r *request) []string {
	var headers []string
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			headers = append(headers, name)
		}
	}
	return headers
}

// corsRefusal says why no rule allows a preflight request, in the words of AWS.
func corsRefusal(r *request, method string) error {
	refusal := s3error.New("AccessForbidden", "Method", method, "ResourceType", r.target.kind())
	err := r.view(func(b *bucket) error {
		if b.cors == nil {
			refusal.Message = "CORSResponse: CORS is not enabled for this bucket."
		}
		return nil
	})
	if err != nil {
		refusal.Message = "CORSResponse: Bucket not found"
	}
	return refusal
}

// preflight answers a browser that asks before it sends a request. It needs no
// signature.
func preflight(r *request) error {
	origin, method := r.Header.Get("Origin"), r.Header.Get("Access-Control-Request-Method")
	if origin == "" {
		return s3error.New("BadRequest").WithMessage("Insufficient information. Origin request header needed.")
	}
	if method == "" {
		return s3error.New("BadRequest").WithMessage("Invalid Access-Control-Request-Method: null")
	}
	headers := requestedHeaders(r)
	rule := matchingRule(r, origin, method, headers)
	if rule == nil {
		return corsRefusal(r, method)
	}
	rule.write(r.w.Header(), origin)
	if len(headers) > 0 {
		r.w.Header().Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
	}
	return r.done(http.StatusOK)
}
