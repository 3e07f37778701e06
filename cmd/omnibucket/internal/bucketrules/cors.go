package bucketrules

import (
	"io"
	"time"

	"github.com/omnibucket/storage"
)

// A CORSLine is a CORS rule in JSON.
type CORSLine struct {
	Origins        []string `json:"origins,omitempty"`
	Methods        []string `json:"methods,omitempty"`
	AllowedHeaders []string `json:"allowedHeaders,omitempty"`
	ExposedHeaders []string `json:"exposedHeaders,omitempty"`
	MaxAge         age      `json:"maxAge,omitzero"` // as text with a unit, such as "1h0m0s"
}

// s3CORS is a CORS rule in the JSON form that the S3 console and the AWS CLI use.
type s3CORS struct {
	ID             string // only a name, without effect
	AllowedOrigins []string
	AllowedMethods []string
	AllowedHeaders []string
	ExposeHeaders  []string
	MaxAgeSeconds  int32
}

// ParseCORS reads an array of CORS rules as JSON, each in the form of this program or of S3.
func ParseCORS(src io.Reader) ([]storage.CORSRule, error) {
	f := form{
		list:  "CORSRules",
		names: []string{"AllowedOrigins", "AllowedMethods", "ExposeHeaders", "MaxAgeSeconds"},
	}
	return parse(src, f, CORSLine.rule, s3CORS.rule)
}

// rule converts a CORS rule from this program's JSON form to the type of the library.
func (l CORSLine) rule() storage.CORSRule {
	return storage.CORSRule{
		Origins:        l.Origins,
		Methods:        l.Methods,
		AllowedHeaders: l.AllowedHeaders,
		ExposedHeaders: l.ExposedHeaders,
		MaxAge:         time.Duration(l.MaxAge),
	}
}

// rule converts a CORS rule from the JSON form of S3 to the type of the library. The error is always nil; parse
// requires it because other kinds of rules may be invalid.
func (l s3CORS) rule() (storage.CORSRule, error) {
	return storage.CORSRule{
		Origins:        l.AllowedOrigins,
		Methods:        l.AllowedMethods,
		AllowedHeaders: l.AllowedHeaders,
		ExposedHeaders: l.ExposeHeaders,
		MaxAge:         time.Duration(l.MaxAgeSeconds) * time.Second,
	}, nil
}

// CORSLines converts CORS rules to this program's JSON form, which ParseCORS accepts.
func CORSLines(rules []storage.CORSRule) []CORSLine {
	lines := make([]CORSLine, 0, len(rules))
	for _, r := range rules {
		lines = append(lines, CORSLine{
			Origins:        r.Origins,
			Methods:        r.Methods,
			AllowedHeaders: r.AllowedHeaders,
			ExposedHeaders: r.ExposedHeaders,
			MaxAge:         age(r.MaxAge),
		})
	}
	return lines
}
