package cors_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const anyGet = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"

// mustDecode decodes the content of a configuration.
func mustDecode(t *testing.T, document string) *cors.Configuration {
	t.Helper()
	c, err := decode(document)
	require.NoError(t, err)
	return c
}

// decode parses a document.
func decode(document string) (*cors.Configuration, error) {
	c := &cors.Configuration{}
	return c, xmldoc.Parse([]byte("<CORSConfiguration>"+document+"</CORSConfiguration>"), c)
}

// rule returns a rule with some elements.
func rule(content string) string { return "<CORSRule>" + content + "</CORSRule>" }

// A configuration that AWS would refuse is refused either by the decoder or by Check.
func TestConfigurationRefused(t *testing.T) {
	tests := []struct {
		name     string
		document string
		wantCode string
	}{
		{name: "rules missing", wantCode: "MalformedXML"},
		{name: "too many rules", document: strings.Repeat(rule(anyGet), 101), wantCode: "MalformedXML"},
		{name: "unknown element", document: rule(anyGet) + "<Color/>", wantCode: "MalformedXML"},
		{name: "origin missing", document: rule("<AllowedMethod>GET</AllowedMethod>"), wantCode: "MalformedXML"},
		{name: "method missing", document: rule("<AllowedOrigin>*</AllowedOrigin>"), wantCode: "MalformedXML"},
		{
			name:     "unsupported method",
			document: rule(anyGet + "<AllowedMethod>PATCH</AllowedMethod>"),
			wantCode: "InvalidRequest",
		},
		{
			name:     "two stars in an origin",
			document: rule(anyGet + "<AllowedOrigin>*.*</AllowedOrigin>"),
			wantCode: "InvalidRequest",
		},
		{
			name:     "two stars in a header",
			document: rule(anyGet + "<AllowedHeader>x-*-*</AllowedHeader>"),
			wantCode: "InvalidRequest",
		},
		{
			name:     "a star in an exposed header",
			document: rule(anyGet + "<ExposeHeader>x-*</ExposeHeader>"),
			wantCode: "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The decoder refuses some of the documents. Check refuses the others.
			c, err := decode(tt.document)
			if err == nil {
				err = c.Check()
			}
			require.True(t, s3error.Is(err, tt.wantCode), "%v", err)
		})
	}
}

// Find returns the first rule that allows the origin, the method and all headers of a request.
func TestRulesMatch(t *testing.T) {
	const app = "<ID>app</ID><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>" +
		"<AllowedHeader>Content-Type</AllowedHeader><AllowedHeader>x-amz-*</AllowedHeader>"

	// The second rule lets every origin use GET, without headers.
	c := mustDecode(t, rule(app)+rule("<ID>all</ID>"+anyGet))
	require.NoError(t, c.Check())

	tests := []struct {
		name     string
		origin   string
		method   string
		headers  []string
		wantRule string // "" if none allows it
	}{
		{
			name:     "origin and method of the first rule",
			origin:   "https://app.example.com",
			method:   "PUT",
			wantRule: "app",
		},
		{
			name:     "headers of the first rule",
			origin:   "https://app.example.com",
			method:   "PUT",
			headers:  []string{"content-type", "x-amz-meta-a"},
			wantRule: "app",
		},
		{
			name:    "other header",
			origin:  "https://app.example.com",
			method:  "PUT",
			headers: []string{"x-other"},
		},
		{name: "other origin", origin: "https://example.org", method: "PUT"},
		{name: "origin without the dot of the pattern", origin: "https://example.com", method: "PUT"},
		{name: "origin and method of the second rule", origin: "https://example.org", method: "GET", wantRule: "all"},
		{
			name:    "header of no rule",
			origin:  "https://example.org",
			method:  "GET",
			headers: []string{"content-type"},
		},
		{name: "method of no rule", origin: "https://app.example.com", method: "DELETE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A missing rule has no id.
			id := ""
			if rule := c.Find(tt.origin, tt.method, tt.headers); rule != nil {
				id = rule.ID
			}
			require.Equal(t, tt.wantRule, id)
		})
	}
}

// The response to a page's request has the headers that its CORS rule demands.
func TestRuleHeaders(t *testing.T) {
	const origin = "https://a.example" // of the page
	tests := []struct {
		name       string
		rule       string
		wantHeader http.Header // of the response, without Vary
	}{
		{
			name: "every origin",
			rule: anyGet,
			wantHeader: http.Header{
				"Access-Control-Allow-Origin":  {"*"},
				"Access-Control-Allow-Methods": {"GET"},
			},
		},
		{
			name: "one origin",
			rule: "<AllowedOrigin>" + origin + "</AllowedOrigin>" +
				"<AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>" +
				"<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds>",
			wantHeader: http.Header{
				"Access-Control-Allow-Origin":      {origin},
				"Access-Control-Allow-Credentials": {"true"},
				"Access-Control-Allow-Methods":     {"GET, PUT"},
				"Access-Control-Expose-Headers":    {"ETag"},
				"Access-Control-Max-Age":           {"60"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{}
			mustDecode(t, rule(tt.rule)).Rules[0].Write(header, origin)

			// The header Vary is the same for each rule.
			tt.wantHeader["Vary"] = []string{"Origin, Access-Control-Request-Headers, Access-Control-Request-Method"}
			require.Equal(t, tt.wantHeader, header)
		})
	}
}
