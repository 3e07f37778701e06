package bucketrules_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/bucketrules"
)

// ParseCORS reads rules in both forms and refuses everything else.
func TestCORSRules(t *testing.T) {
	rule := storage.CORSRule{
		Origins:        []string{"https://example.com"},
		Methods:        []string{"PUT"},
		AllowedHeaders: []string{"content-type"},
		ExposedHeaders: []string{"ETag"},
		MaxAge:         time.Hour,
	}
	const own = `{"origins":["https://example.com"],"methods":["PUT"],"allowedHeaders":["content-type"],"exposedHeaders":["ETag"],"maxAge":"1h"}`
	const s3 = `{"ID":"web","AllowedOrigins":["https://example.com"],"AllowedMethods":["PUT"],"AllowedHeaders":["content-type"],"ExposeHeaders":["ETag"],"MaxAgeSeconds":3600}`

	for _, tt := range []struct {
		name string
		text string
		want []storage.CORSRule
	}{
		{name: "own", text: "[" + own + "]", want: []storage.CORSRule{rule}},
		{name: "as the console of S3 shows them", text: "[" + s3 + "]", want: []storage.CORSRule{rule}},
		{name: "as the AWS CLI shows them", text: `{"CORSRules":[` + s3 + "]}", want: []storage.CORSRule{rule}},
		{name: "of both kinds", text: "[" + own + "," + s3 + "]", want: []storage.CORSRule{rule, rule}},
		{name: "none", text: "[]", want: []storage.CORSRule{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := bucketrules.ParseCORS(strings.NewReader(tt.text))
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}

	for _, tt := range []struct {
		name string
		text string
		want string // in the error
	}{
		{name: "a bare number as an age", text: `[{"origins":["*"],"maxAge":3600}]`, want: `such as "1h"`},
		{name: "an age without a unit", text: `[{"origins":["*"],"maxAge":"3600"}]`, want: "duration"},
		{name: "a misspelled member", text: `[{"orgins":["*"]}]`, want: "orgins"},
		{name: "a misspelled member of S3", text: `[{"AllowedOrigins":["*"],"MaxAge":5}]`, want: "MaxAge"},
		{name: "another object", text: `{"Rules":[]}`, want: "array"},
		{name: "two arrays", text: "[] []", want: "nothing may follow"},
		{name: "null", text: "null", want: "array"},
		{name: "nothing", text: "", want: "array"},
	} {
		t.Run("refused: "+tt.name, func(t *testing.T) {
			_, err := bucketrules.ParseCORS(strings.NewReader(tt.text))
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// ParseLifecycle reads rules in both forms, and refuses rules of S3 that storage.LifecycleRule cannot express.
func TestLifecycleRules(t *testing.T) {
	rule := storage.LifecycleRule{
		ID:                         "old",
		Prefix:                     "tmp/",
		Tags:                       map[string]string{"a": "1", "b": "2"},
		ExpireAfterDays:            7,
		ExpireOldVersionsAfterDays: 8,
		AbortUploadsAfterDays:      9,
		TransitionAfterDays:        5,
		TransitionTo:               "GLACIER",
	}
	const own = `{
		"id": "old",
		"prefix": "tmp/",
		"tags": {"a": "1", "b": "2"},
		"expireAfterDays": 7,
		"expireOldVersionsAfterDays": 8,
		"abortUploadsAfterDays": 9,
		"transitionAfterDays": 5,
		"transitionTo": "GLACIER"
	}`
	const s3 = `{
		"ID": "old",
		"Status": "Enabled",
		"Filter": {"And": {"Prefix": "tmp/", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}},
		"Expiration": {"Days": 7},
		"NoncurrentVersionExpiration": {"NoncurrentDays": 8},
		"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 9},
		"Transitions": [{"Days": 5, "StorageClass": "GLACIER"}]
	}`

	for _, tt := range []struct {
		name string
		text string
		want storage.LifecycleRule
	}{
		{name: "own", text: "[" + own + "]", want: rule},
		{name: "as the AWS CLI shows them", text: `{"Rules":[` + s3 + `]}`, want: rule},
		{
			name: "S3's with one tag",
			text: `[{"Status":"Enabled","Filter":{"Tag":{"Key":"a","Value":"1"}},"Expiration":{"Days":1}}]`,
			want: storage.LifecycleRule{Tags: map[string]string{"a": "1"}, ExpireAfterDays: 1},
		},
		{
			name: "S3's with a prefix",
			text: `[{"Status":"Enabled","Filter":{"Prefix":"x"},"Expiration":{"Days":1}}]`,
			want: storage.LifecycleRule{Prefix: "x", ExpireAfterDays: 1},
		},
		{
			name: "S3's of old",
			text: `[{"Status":"Enabled","Prefix":"x","Expiration":{"Days":1}}]`,
			want: storage.LifecycleRule{Prefix: "x", ExpireAfterDays: 1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := bucketrules.ParseLifecycle(strings.NewReader(tt.text))
			require.NoError(t, err)
			require.Equal(t, []storage.LifecycleRule{tt.want}, got)
		})
	}

	for _, tt := range []struct {
		name string
		text string
		want string // in the error
	}{
		{
			name: "a disabled rule of S3",
			text: `[{"Status":"Disabled","Expiration":{"Days":1}}]`,
			want: "Status",
		},
		{
			name: "a date",
			text: `[{"Status":"Enabled","Expiration":{"Date":"2027-01-01"}}]`,
			want: "Date",
		},
		{
			name: "a size",
			text: `[{"Status":"Enabled","Filter":{"ObjectSizeGreaterThan":5},"Expiration":{"Days":1}}]`,
			want: "ObjectSizeGreaterThan",
		},
		{
			name: "two transitions",
			text: `[{"Status":"Enabled","Transitions":[{"Days":1,"StorageClass":"a"},{"Days":2,"StorageClass":"b"}]}]`,
			want: "Transitions",
		},
	} {
		t.Run("refused: "+tt.name, func(t *testing.T) {
			_, err := bucketrules.ParseLifecycle(strings.NewReader(tt.text))
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// CORS rules that are printed as JSON are parsed to the same rules.
func TestCORSRulesRoundTrip(t *testing.T) {
	cors := []storage.CORSRule{
		{Origins: []string{"*"}, Methods: []string{"GET"}, MaxAge: 90 * time.Second},
		{Origins: []string{"a"}, Methods: []string{"PUT"}},
	}
	text, err := json.Marshal(bucketrules.CORSLines(cors))
	require.NoError(t, err)
	require.Equal(t, `[{"origins":["*"],"methods":["GET"],"maxAge":"1m30s"},{"origins":["a"],"methods":["PUT"]}]`,
		string(text))

	parsed, err := bucketrules.ParseCORS(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Equal(t, cors, parsed)
}

// Lifecycle rules that are printed as JSON are parsed to the same rules.
func TestLifecycleRulesRoundTrip(t *testing.T) {
	lifecycle := []storage.LifecycleRule{{ID: "x", Prefix: "tmp/", ExpireAfterDays: 3}}
	text, err := json.Marshal(bucketrules.LifecycleLines(lifecycle))
	require.NoError(t, err)
	require.Equal(t, `[{"id":"x","prefix":"tmp/","expireAfterDays":3}]`, string(text))

	parsed, err := bucketrules.ParseLifecycle(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Equal(t, lifecycle, parsed)
}
