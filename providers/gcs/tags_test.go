package gcs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/gcs"
)

// Google refuses some values of tags, such as an empty one or one with a slash. Such a value is
// stored with the prefix "0~" and with "~" in place of each slash, and is read as it was written.
func TestTagsRefusedByGoogle(t *testing.T) {
	server := startRuleServer(t)
	d := openDriver(t, server)

	tests := []struct {
		value  string
		stored string // by Google
	}{
		{value: "plain", stored: "plain"},
		{value: "", stored: "0~"},
		{value: "-a", stored: "0~-a"},
		{value: "a/b", stored: "0~a~b"},
		{value: "/", stored: "0~~"},
		{value: "0", stored: "0"},
		{value: "a=b c", stored: "a=b c"},
		{value: " a", stored: "0~ a"},
		{value: "google", stored: "google"},
		{value: "@", stored: "0~@"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q", tt.value), func(t *testing.T) {
			tags := map[string]string{"value": tt.value}
			r := wiretest.Put("a", "x")
			r.Tags = tags
			_, err := d.Put(t.Context(), r)
			require.NoError(t, err)
			server.change(bucketOf(server), "a", func(o *ruleObject) {
				require.Equal(t, tt.stored, o.Contexts.Custom["value"].Value)
			})

			got, err := d.Tags(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			require.Equal(t, tags, got)
		})
	}
}

// A tag whose key Google reserves is stored under an encoded key.
func TestTagKeyRefusedByGoogle(t *testing.T) {
	server := startRuleServer(t)
	d := openDriver(t, server)

	r := wiretest.Put("a", "x")
	r.Tags = map[string]string{"Google": "v"}
	_, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	server.change(bucketOf(server), "a", func(o *ruleObject) {
		require.Contains(t, o.Contexts.Custom, "0~Google")
	})
}

// A write fails with Unsupported if the value of a tag is too long once it is encoded.
func TestTagTooLongEncoded(t *testing.T) {
	server := startRuleServer(t)
	d := openDriver(t, server)

	r := wiretest.Put("a", "x")
	r.Tags = map[string]string{"k": strings.Repeat("/", 256)}
	_, err := d.Put(t.Context(), r)
	require.ErrorIs(t, err, storage.Unsupported)
}

// The driver stores tags as what Google calls contexts of an object. Copy keeps contexts that other
// clients have set, and Tags returns them.
func TestCopyKeepsForeignContexts(t *testing.T) {
	server := startRuleServer(t)
	name := server.bucket(ruleBucket{})
	bucket := openAt(t, server.URL, name)
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)

	// Another client has set a context whose name this library would refuse.
	server.change(name, "a", func(o *ruleObject) {
		o.Contexts = &ruleContexts{map[string]*ruleContext{"été": {"x~y"}}}
	})

	_, err = storage.Copy(t.Context(), bucket, "b", bucket, "a", storage.WithContentType("text/x-new"))
	require.NoError(t, err)
	got, err := storage.Tags(t.Context(), bucket, "b")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"été": "x~y"}, got)
}

// With WithNativeAttrs, Attrs returns attributes that only the SDK has, such as CustomTime.
func TestWithNativeAttrsCustomTime(t *testing.T) {
	server := startRuleServer(t)
	bucket := openAt(t, server.URL, server.bucket(ruleBucket{}))
	when := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("text"),
		gcs.WithCustomTime(when),
		storage.WithTags(map[string]string{"k": "v"}))
	require.NoError(t, err)

	attrs, err := bucket.Attrs(t.Context(), "a", storage.WithNativeAttrs())
	require.NoError(t, err)
	object, ok := storage.AttrsAs[*sdk.ObjectAttrs](attrs)
	require.True(t, ok)
	require.Equal(t, when, object.CustomTime.UTC())

	// A download with the option returns the native attributes, too.
	content, attrs, err := storage.ReadAll(t.Context(), bucket, "a", storage.WithNativeAttrs())
	require.NoError(t, err)
	require.Equal(t, "text", string(content))
	object, ok = storage.AttrsAs[*sdk.ObjectAttrs](attrs)
	require.True(t, ok)
	require.Equal(t, "v", object.Contexts.Custom["k"].Value)

	// Without the option, there are no native attributes.
	attrs, err = bucket.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Nil(t, attrs.Native)
}

// Lifecycle rules count from the custom time of an object
// (https://cloud.google.com/storage/docs/lifecycle), so copies and appends keep it. Google's own
// copy drops it if other attributes are set: talkiq/gcloud-aio#316, fsouza/fake-gcs-server#2316.
func TestCopyKeepsCustomTime(t *testing.T) {
	customTime := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	newTime := time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
	tests := []struct {
		name string
		call func(bucket storage.Bucket) error // on the object "a"
		key  string                            // of the result
		want time.Time
	}{
		{
			name: "copy",
			call: func(bucket storage.Bucket) error {
				_, err := storage.Copy(t.Context(), bucket, "copy", bucket, "a")
				return err
			},
			key:  "copy",
			want: customTime,
		},
		{
			name: "copy with another time",
			call: func(bucket storage.Bucket) error {
				_, err := storage.Copy(t.Context(), bucket, "copy", bucket, "a", gcs.WithCustomTime(newTime))
				return err
			},
			key:  "copy",
			want: newTime,
		},
		{
			name: "copy onto itself, with another class",
			call: func(bucket storage.Bucket) error {
				_, err := storage.Copy(t.Context(), bucket, "a", bucket, "a", storage.WithStorageClass("NEARLINE"))
				return err
			},
			key:  "a",
			want: customTime,
		},
		{
			name: "append",
			call: func(bucket storage.Bucket) error {
				_, err := storage.Append(t.Context(), bucket, "a", []byte("more"))
				return err
			},
			key:  "a",
			want: customTime,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := startRuleServer(t)
			bucket := openAt(t, server.URL, server.bucket(ruleBucket{}))
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("text"), gcs.WithCustomTime(customTime))
			require.NoError(t, err)

			require.NoError(t, tt.call(bucket))

			attrs, err := bucket.Attrs(t.Context(), tt.key, storage.WithNativeAttrs())
			require.NoError(t, err)
			object, ok := storage.AttrsAs[*sdk.ObjectAttrs](attrs)
			require.True(t, ok)
			require.Equal(t, tt.want, object.CustomTime.UTC())
		})
	}
}

// SetTags tries again, and replaces all tags, if another client changes the object between its read and its write.
func TestSetTagsChangedMeanwhile(t *testing.T) {
	server := startRuleServer(t)
	bucket := openAt(t, server.URL, server.bucket(ruleBucket{}))
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)

	// Another client adds a tag just before the request that changes the tags.
	server.beforePatch = func(o *ruleObject) {
		o.Contexts = &ruleContexts{map[string]*ruleContext{"theirs": {"1"}}}
		o.Metageneration = "2"
	}
	want := map[string]string{"ours": "1"}
	require.NoError(t, storage.SetTags(t.Context(), bucket, "a", want))

	got, err := storage.Tags(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, want, got)
}
