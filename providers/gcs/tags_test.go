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

// Tags with values that Google refuses are stored encoded, and read as they were written.
func TestTagsRefusedByGoogle(t *testing.T) {
	s := startRuleServer(t)
	bucket := s.bucket(ruleBucket{})
	d, err := gcs.NewDriver(t.Context(), gcs.Config{Endpoint: s.URL, Bucket: bucket})
	require.NoError(t, err)

	for value, want := range map[string]string{
		"plain": "plain", "": "0~", "-a": "0~-a", "a/b": "0~a~b", "/": "0~~", "0": "0", "a=b c": "a=b c", " a": "0~ a", "google": "google", "@": "0~@",
	} {
		t.Run(fmt.Sprintf("%q", value), func(t *testing.T) {
			tags := map[string]string{"value": value}
			r := wiretest.Put("a", "x")
			r.Tags = tags
			_, err := d.Put(t.Context(), r)
			require.NoError(t, err)
			s.change(bucket, "a", func(o *ruleObject) {
				require.Equal(t, want, o.Contexts.Custom["value"].Value)
			})

			got, err := d.Tags(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			require.Equal(t, tags, got)
		})
	}

	r := wiretest.Put("a", "x")
	r.Tags = map[string]string{"Google": "v"}
	_, err = d.Put(t.Context(), r)
	require.NoError(t, err)
	s.change(bucket, "a", func(o *ruleObject) {
		require.Contains(t, o.Contexts.Custom, "0~Google")
	})

	r = wiretest.Put("a", "x")
	r.Tags = map[string]string{"k": strings.Repeat("/", 256)}
	_, err = d.Put(t.Context(), r)
	require.ErrorIs(t, err, storage.Unsupported)

	// Contexts of other clients come back, and are copied.
	s.change(bucket, "a", func(o *ruleObject) {
		o.Contexts = &ruleContexts{map[string]*ruleContext{"été": {"x~y"}}}
	})
	b := openAt(t, s.URL, bucket)
	_, err = storage.Copy(t.Context(), b, "b", b, "a", storage.WithContentType("text/x-new"))
	require.NoError(t, err)
	got, err := storage.Tags(t.Context(), b, "b")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"été": "x~y"}, got)
}

// With WithNativeAttrs, Attrs have attributes that only the SDK has, such as CustomTime.
func TestWithNativeAttrsCustomTime(t *testing.T) {
	s := startRuleServer(t)
	bucket := s.bucket(ruleBucket{})
	for name, c := range map[string]gcs.Config{
		"own requests": {Endpoint: s.URL, Bucket: bucket},
	} {
		b, err := gcs.Open(t.Context(), c)
		require.NoError(t, err)
		when := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
		_, err = b.Upload(t.Context(), name, strings.NewReader("text"), gcs.WithCustomTime(when), storage.WithTags(map[string]string{"k": "v"}))
		require.NoError(t, err)
		attrs, err := b.Attrs(t.Context(), name, storage.WithNativeAttrs())
		require.NoError(t, err)

		object, ok := storage.AttrsAs[*sdk.ObjectAttrs](attrs)
		require.True(t, ok)
		require.Equal(t, when, object.CustomTime.UTC())

		got, attrs, err := storage.ReadAll(t.Context(), b, name, storage.WithNativeAttrs())
		require.NoError(t, err)
		require.Equal(t, "text", string(got))

		object, ok = storage.AttrsAs[*sdk.ObjectAttrs](attrs)
		require.True(t, ok)
		require.Equal(t, "v", object.Contexts.Custom["k"].Value)

		attrs, err = b.Attrs(t.Context(), name)
		require.NoError(t, err)
		require.Nil(t, attrs.Native)
	}
}

// Copy keeps the custom time, from which lifecycle rules count (https://cloud.google.com/storage/docs/lifecycle).
// Google's own copy drops it if other attributes are set: talkiq/gcloud-aio#316, fsouza/fake-gcs-server#2316.
func TestCopyKeepsCustomTime(t *testing.T) {
	s := startRuleServer(t)
	b := openAt(t, s.URL, s.bucket(ruleBucket{}))
	when := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	newTime := time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
	upload := func(key string) {
		_, err := b.Upload(t.Context(), key, strings.NewReader("text"), gcs.WithCustomTime(when))
		require.NoError(t, err)
	}

	tests := map[string]struct {
		call func(key string) error
		want time.Time
	}{
		"a copy": {func(key string) error {
			upload("source")
			_, err := storage.Copy(t.Context(), b, key, b, "source")
			return err
		}, when},
		"a copy with another time": {func(key string) error {
			upload("source")
			_, err := storage.Copy(t.Context(), b, key, b, "source", gcs.WithCustomTime(newTime))
			return err
		}, newTime},
		"another class": {func(key string) error {
			upload(key)
			_, err := storage.Copy(t.Context(), b, key, b, key, storage.WithStorageClass("NEARLINE"))
			return err
		}, when},
		"an object that grows": {func(key string) error {
			upload(key)
			_, err := storage.Append(t.Context(), b, key, []byte("more"))
			return err
		}, when},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, tt.call("k"))
			attrs, err := b.Attrs(t.Context(), "k", storage.WithNativeAttrs())
			require.NoError(t, err)
			object, _ := storage.AttrsAs[*sdk.ObjectAttrs](attrs)
			require.Equal(t, tt.want, object.CustomTime.UTC())
		})
	}
}

// If another client changes the object during SetTags, SetTags tries again.
func TestSetTagsChangedMeanwhile(t *testing.T) {
	s := startRuleServer(t)
	bucket := s.bucket(ruleBucket{})
	b := openAt(t, s.URL, bucket)
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	s.beforePatch = func(o *ruleObject) {
		o.Contexts = &ruleContexts{map[string]*ruleContext{"theirs": {"1"}}}
		o.Metageneration = "2"
	}
	require.NoError(t, storage.SetTags(t.Context(), b, "a", map[string]string{"ours": "1"}))

	got, err := storage.Tags(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"ours": "1"}, got)
}
