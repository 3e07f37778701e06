package gcs

import (
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A CORS rule is converted to Google's form and back. Google has one list for both the allowed and
// the exposed headers.
func TestCORSHasOneListOfHeaders(t *testing.T) {
	rules := corsRules([]storage.CORSRule{{
		Origins:        []string{"*"},
		Methods:        []string{"PUT"},
		AllowedHeaders: []string{"content-type", "x-goog-meta-a"},
		ExposedHeaders: []string{"etag", "content-type"},
		MaxAge:         90*time.Second + time.Millisecond,
	}})
	require.Equal(t, []gcs.CORS{{
		Origins:         []string{"*"},
		Methods:         []string{"PUT"},
		ResponseHeaders: []string{"content-type", "x-goog-meta-a", "etag"},
		MaxAge:          90 * time.Second,
	}}, rules)

	// A rule that is read allows and exposes all headers of the list.
	all := []string{"content-type", "x-goog-meta-a", "etag"}
	parsed := parseCORSRules(rules)
	require.Equal(t, []storage.CORSRule{{
		Origins:        []string{"*"},
		Methods:        []string{"PUT"},
		AllowedHeaders: all,
		ExposedHeaders: all,
		MaxAge:         90 * time.Second,
	}}, parsed)
	require.Equal(t, rules, corsRules(parsed), "rules that were read can be written back")
}

// An empty list of CORS rules is sent, so that it clears the rules of the bucket.
func TestEmptyCORSRulesClearThem(t *testing.T) {
	require.NotNil(t, corsRules(nil), "nil would leave the rules as they are")
	require.Empty(t, corsRules(nil))
	require.Nil(t, parseCORSRules(nil))
}
