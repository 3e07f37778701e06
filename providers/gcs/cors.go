package gcs

import (
	"slices"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

// corsRules are rules as Google has them, and never nil: none clears them.
// Google has one list of headers, for those that a page may send and for those
// that it may read.
// https://cloud.google.com/storage/docs/cross-origin
func corsRules(rules []storage.CORSRule) []gcs.CORS {
	written := make([]gcs.CORS, 0, len(rules))
	for _, rule := range rules {
		headers := slices.Clone(rule.AllowedHeaders)
		for _, name := range rule.ExposedHeaders {
			if !slices.Contains(headers, name) {
				headers = append(headers, name)
			}
		}
		written = append(written, gcs.CORS{
			MaxAge:          rule.MaxAge.Truncate(time.Second),
			Methods:         rule.Methods,
			Origins:         rule.Origins,
			ResponseHeaders: headers,
		})
	}
	return written
}

// readCORSRules tells what is in force: each header of the list may be sent,
// and may be read.
func parseCORSRules(written []gcs.CORS) []storage.CORSRule {
	var rules []storage.CORSRule
	for _, r := range written {
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
