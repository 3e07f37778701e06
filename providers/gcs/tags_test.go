package gcs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestTagsThatGoogleWouldRefuse(t *testing.T) {
	s := startRuleServer(t)
	bucket := s.bucket(ruleBucket{})
	b := openAt(t, s.URL, bucket)
	for given, want := range map[string]string{
		"plain": "plain", "": "0~", "-a": "0~-a", "a/b": "0~a~b", "/": "0~~", "0": "0", "a=b c": "a=b c", " a": "0~ a", "google": "google",
	} {
		t.Run(fmt.Sprintf("%q", given), func(t *testing.T) {
			tags := map[string]string{"value": given}
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithTags(tags))
			require.NoError(t, err)
			s.change(bucket, "a", func(o *ruleObject) { require.Equal(t, want, o.Contexts.Custom["value"].Value) })
			got, err := storage.Tags(t.Context(), b, "a")
			require.NoError(t, err)
			require.Equal(t, tags, got)
		})
	}
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithTags(map[string]string{"Google": "v"}))
	require.NoError(t, err)
	s.change(bucket, "a", func(o *ruleObject) { require.Contains(t, o.Contexts.Custom, "0~Google") })

	// Contexts of other clients come back, and are copied.
	s.change(bucket, "a", func(o *ruleObject) { o.Contexts.Custom = map[string]*ruleContext{"été": {"x~y"}} })
	_, err = storage.Copy(t.Context(), b, "b", b, "a", storage.WithContentType("text/x-new"))
	require.NoError(t, err)
	got, err := storage.Tags(t.Context(), b, "b")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"été": "x~y"}, got)
}

func TestTagsChangeOnlyIfNoOtherClientChangesThem(t *testing.T) {
	s := startRuleServer(t)
	bucket := s.bucket(ruleBucket{})
	b := openAt(t, s.URL, bucket)
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	s.beforePatch = func(o *ruleObject) {
		o.Contexts, o.Metageneration = &ruleContexts{map[string]*ruleContext{"theirs": {"1"}}}, "2"
	}
	require.NoError(t, storage.SetTags(t.Context(), b, "a", map[string]string{"ours": "1"}))
	got, err := storage.Tags(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"ours": "1"}, got)
}
