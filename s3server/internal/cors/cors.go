// Package cors implements the CORS rules of a bucket. They decide which web pages of other origins
// may use the bucket.
package cors

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// A Configuration is the XML document with the CORS rules of a bucket.
type Configuration struct {
	XMLName xml.Name `xml:"CORSConfiguration"`
	Rules   []Rule   `xml:"CORSRule"`
}

// A Rule allows pages of some origins to send some requests.
type Rule struct {
	ID             string   `xml:",omitempty"`
	AllowedOrigins []string `xml:"AllowedOrigin"`
	AllowedMethods []string `xml:"AllowedMethod"`
	AllowedHeaders []string `xml:"AllowedHeader"`
	ExposeHeaders  []string `xml:"ExposeHeader"`
	MaxAgeSeconds  *int     `xml:",omitempty"`
}

// Check fails if AWS would refuse the number of rules or one of the rules.
func (c *Configuration) Check() error {
	const maxRules = 100
	if len(c.Rules) == 0 || len(c.Rules) > maxRules {
		return s3error.New("MalformedXML")
	}
	for i := range c.Rules {
		if err := c.Rules[i].check(); err != nil {
			return err
		}
	}
	return nil
}

// methods has the methods that a rule can allow.
var methods = []string{"GET", "PUT", "HEAD", "POST", "DELETE"}

// check fails if AWS would refuse the rule.
func (c *Rule) check() error {
	if len(c.AllowedOrigins) == 0 || len(c.AllowedMethods) == 0 {
		return s3error.New("MalformedXML")
	}

	for _, method := range c.AllowedMethods {
		if !slices.Contains(methods, method) {
			return s3error.New("InvalidRequest").
				WithMessage("Found unsupported HTTP method in CORS config. Unsupported method is %s", method)
		}
	}

	for _, pattern := range slices.Concat(c.AllowedOrigins, c.AllowedHeaders) {
		if strings.Count(pattern, "*") > 1 {
			return s3error.New("InvalidRequest").
				WithMessage("AllowedOrigin %q can not have more than one wildcard.", pattern)
		}
	}

	for _, name := range c.ExposeHeaders {
		if strings.Contains(name, "*") {
			return s3error.New("InvalidRequest").WithMessage(
				"ExposeHeader %q contains wildcard. We currently do not support wildcard for ExposeHeader.", name,
			)
		}
	}
	return nil
}

// Find returns the first rule that allows the request, or nil.
func (c *Configuration) Find(origin, method string, headers []string) *Rule {
	for i := range c.Rules {
		if rule := &c.Rules[i]; rule.allows(origin, method, headers) {
			return rule
		}
	}
	return nil
}

// allows reports whether a page of this origin may send a request with this method and these headers, whose names must
// be in lower case.
func (c *Rule) allows(origin, method string, headers []string) bool {
	if !wildcard.AnyOneStar(c.AllowedOrigins, origin) || !slices.Contains(c.AllowedMethods, method) {
		return false
	}
	for _, name := range headers {
		if !c.allowsHeader(name) {
			return false
		}
	}
	return true
}

// allowsHeader reports whether a request may have the header with this name in lower case.
func (c *Rule) allowsHeader(name string) bool {
	return slices.ContainsFunc(c.AllowedHeaders, func(pattern string) bool {
		return wildcard.MatchOneStar(strings.ToLower(pattern), name)
	})
}

// Write adds the CORS headers to a response for a page of this origin.
func (c *Rule) Write(header http.Header, origin string) {
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
