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

	for _, row := range []struct {
		name, text string
		want       []storage.CORSRule
	}{
		{"own", "[" + own + "]", []storage.CORSRule{rule}},
		{"as the console of S3 shows them", "[" + s3 + "]", []storage.CORSRule{rule}},
		{"as the AWS CLI shows them", `{"CORSRules":[` + s3 + "]}", []storage.CORSRule{rule}},
		{"of both kinds", "[" + own + "," + s3 + "]", []storage.CORSRule{rule, rule}},
		{"none", "[]", []storage.CORSRule{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := bucketrules.ParseCORS(strings.NewReader(row.text))
			require.NoError(t, err)
			require.Equal(t, row.want, got)
		})
	}

	for _, row := range []struct{ name, text, want string }{
		{"a bare number as an age", `[{"origins":["*"],"maxAge":3600}]`, `such as "1h"`},
		{"an age without a unit", `[{"origins":["*"],"maxAge":"3600"}]`, "duration"},
		{"a misspelled member", `[{"orgins":["*"]}]`, "orgins"},
		{"a misspelled member of S3", `[{"AllowedOrigins":["*"],"MaxAge":5}]`, "MaxAge"},
		{"another object", `{"Rules":[]}`, "array"},
		{"two arrays", "[] []", "nothing may follow"},
		{"null", "null", "array"},
		{"nothing", "", "array"},
	} {
		t.Run("refused: "+row.name, func(t *testing.T) {
			_, err := bucketrules.ParseCORS(strings.NewReader(row.text))
			require.ErrorContains(t, err, row.want)
		})
	}
}

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
	const s3 = `{"ID":"old","Status":"Enabled","Filter":{"And":{"Prefix":"tmp/","Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}]}},` +
		`"Expiration":{"Days":7},"NoncurrentVersionExpiration":{"NoncurrentDays":8},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":9},` +
		`"Transitions":[{"Days":5,"StorageClass":"GLACIER"}]}`
	for _, row := range []struct {
		name, text string
		want       storage.LifecycleRule
	}{
		{"own", `[{"id":"old","prefix":"tmp/","tags":{"a":"1","b":"2"},"expireAfterDays":7,"expireOldVersionsAfterDays":8,"abortUploadsAfterDays":9,"transitionAfterDays":5,"transitionTo":"GLACIER"}]`, rule},
		{"as the AWS CLI shows them", `{"Rules":[` + s3 + `]}`, rule},
		{"S3's with one tag", `[{"Status":"Enabled","Filter":{"Tag":{"Key":"a","Value":"1"}},"Expiration":{"Days":1}}]`,
			storage.LifecycleRule{Tags: map[string]string{"a": "1"}, ExpireAfterDays: 1}},
		{"S3's with a prefix", `[{"Status":"Enabled","Filter":{"Prefix":"x"},"Expiration":{"Days":1}}]`,
			storage.LifecycleRule{Prefix: "x", ExpireAfterDays: 1}},
		{"S3's of old", `[{"Status":"Enabled","Prefix":"x","Expiration":{"Days":1}}]`,
			storage.LifecycleRule{Prefix: "x", ExpireAfterDays: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := bucketrules.ParseLifecycle(strings.NewReader(row.text))
			require.NoError(t, err)
			require.Equal(t, []storage.LifecycleRule{row.want}, got)
		})
	}
	for _, row := range []struct{ name, text, want string }{
		{"a disabled rule of S3", `[{"Status":"Disabled","Expiration":{"Days":1}}]`, "Status"},
		{"a date", `[{"Status":"Enabled","Expiration":{"Date":"2027-01-01"}}]`, "Date"},
		{"a size", `[{"Status":"Enabled","Filter":{"ObjectSizeGreaterThan":5},"Expiration":{"Days":1}}]`,
			"ObjectSizeGreaterThan"},
		{"two transitions", `[{"Status":"Enabled","Transitions":[{"Days":1,"StorageClass":"a"},{"Days":2,"StorageClass":"b"}]}]`, "Transitions"},
	} {
		t.Run("refused: "+row.name, func(t *testing.T) {
			_, err := bucketrules.ParseLifecycle(strings.NewReader(row.text))
			require.ErrorContains(t, err, row.want)
		})
	}
}

// Rules can be given back as they are shown.
func TestRulesRoundTrip(t *testing.T) {
	cors := []storage.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}, MaxAge: 90 * time.Second},
		{Origins: []string{"a"}, Methods: []string{"PUT"}}}
	text, err := json.Marshal(bucketrules.CORSLines(cors))
	require.NoError(t, err)
	require.Equal(t, `[{"origins":["*"],"methods":["GET"],"maxAge":"1m30s"},{"origins":["a"],"methods":["PUT"]}]`,
		string(text))
	parsed, err := bucketrules.ParseCORS(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Equal(t, cors, parsed)

	lifecycle := []storage.LifecycleRule{{ID: "x", Prefix: "tmp/", ExpireAfterDays: 3}}
	text, err = json.Marshal(bucketrules.LifecycleLines(lifecycle))
	require.NoError(t, err)
	require.Equal(t, `[{"id":"x","prefix":"tmp/","expireAfterDays":3}]`, string(text))
	kept, err := bucketrules.ParseLifecycle(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Equal(t, lifecycle, kept)
}
