package gcs

import (
	"slices"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

// corsRules returns the rules in Google's form, which has one list of headers, both for those that a
// page may send and for those that it may read. The result is never nil, so that an empty list clears
// the rules.
// https://cloud.google.com/storage/docs/cross-origin
func corsRules(rules []storage.CORSRule) []gcs.CORS {
	list := make([]gcs.CORS, 0, len(rules))
	for _, rule := range rules {
		headers := slices.Clone(rule.AllowedHeaders)
		for _, name := range rule.ExposedHeaders {
			if !slices.Contains(headers, name) {
				headers = append(headers, name)
			}
		}
		list = append(list, gcs.CORS{
			MaxAge:          rule.MaxAge.Truncate(time.Second),
			Methods:         rule.Methods,
			Origins:         rule.Origins,
			ResponseHeaders: headers,
		})
	}
	return list
}

// parseCORSRules returns the CORS rules of a bucket. Google has one list of headers, which a web page may
// both send and read, so the list becomes both AllowedHeaders and ExposedHeaders.
func parseCORSRules(cors []gcs.CORS) []storage.CORSRule {
	var rules []storage.CORSRule
	for _, r := range cors {
		rules = append(rules, storage.CORSRule{
			Origins:        r.Origins,
			Methods:        r.Methods,
			AllowedHeaders: r.ResponseHeaders,
			ExposedHeaders: slices.Clone(r.ResponseHeaders),
			MaxAge:         r.MaxAge,
		})
	}
	return rules
}
