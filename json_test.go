package storage_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var writtenAt = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

// The JSON names of these types are promised, because programs store them and web pages read them.
func TestJSONNames(t *testing.T) {
	entry := storage.ListEntry{
		Key:          "a",
		Size:         5,
		ETag:         `"e"`,
		Revision:     "r",
		Modified:     writtenAt,
		StorageClass: "COLD",
	}
	tests := []struct {
		name        string
		value, back any
		want        string
	}{
		{
			name: "all attributes",
			value: &storage.Attrs{
				Key:               "a",
				Size:              5,
				ETag:              `"e"`,
				Revision:          "r",
				Version:           "v",
				Modified:          writtenAt,
				CRC32C:            storage.CRC32C{Sum: 7, Known: true},
				MD5:               []byte{1, 2},
				TagCount:          1,
				LegalHold:         true,
				Archived:          true,
				Retention:         storage.Retention{Mode: storage.Governance, Until: writtenAt},
				ReplicationStatus: "COMPLETED",
				Encryption:        storage.Encryption{Algorithm: "AES256", KeyID: "k"},
				Restore:           storage.RestoreState{InProgress: true, Until: writtenAt},
				Properties: storage.Properties{
					ContentType:        "text/plain",
					ContentEncoding:    "gzip",
					ContentDisposition: "inline",
					ContentLanguage:    "en",
					CacheControl:       "no-cache",
					Metadata:           map[string]string{"k": "v"},
					StorageClass:       "COLD",
				},
			},
			back: &storage.Attrs{},
			want: `{"key":"a","size":5,"contentType":"text/plain","contentEncoding":"gzip","contentDisposition":"inline",` +
				`"contentLanguage":"en","cacheControl":"no-cache","metadata":{"k":"v"},"storageClass":"COLD","etag":"\"e\"","revision":"r",` +
				`"version":"v","modified":"2026-11-28T10:00:00Z","crc32c":7,"md5":"AQI=","tagCount":1,` +
				`"retention":{"mode":"governance","until":"2026-11-28T10:00:00Z"},"legalHold":true,"encryption":{"algorithm":"AES256","keyId":"k"},` +
				`"archived":true,"restore":{"inProgress":true,"until":"2026-11-28T10:00:00Z"},"replicationStatus":"COMPLETED"}`,
		},
		{
			name:  "what is not reported is left out",
			value: &storage.Attrs{Key: "a"},
			back:  &storage.Attrs{},
			want:  `{"key":"a","size":0}`,
		},
		{
			name:  "an entry",
			value: &entry,
			back:  &storage.ListEntry{},
			want:  `{"key":"a","size":5,"etag":"\"e\"","revision":"r","modified":"2026-11-28T10:00:00Z","storageClass":"COLD"}`,
		},
		{
			name:  "a prefix",
			value: &storage.ListEntry{Key: "a/", IsPrefix: true},
			back:  &storage.ListEntry{},
			want:  `{"key":"a/","isPrefix":true,"size":0}`,
		},
		{
			name: "a version",
			value: &storage.VersionEntry{
				ListEntry:        storage.ListEntry{Key: "a"},
				Version:          "v",
				IsDeleteMarker:   true,
				NoncurrentSince:  writtenAt,
				SoftDeletedUntil: writtenAt,
			},
			back: &storage.VersionEntry{},
			want: `{"key":"a","size":0,"version":"v","current":false,"isDeleteMarker":true,"noncurrentSince":"2026-11-28T10:00:00Z","softDeletedUntil":"2026-11-28T10:00:00Z"}`,
		},
		{
			name:  "a page",
			value: &storage.Page{Entries: []storage.ListEntry{{Key: "a"}}, Token: "t"},
			back:  &storage.Page{},
			want:  `{"entries":[{"key":"a","size":0}],"token":"t"}`,
		},
		{
			name:  "the last page",
			value: &storage.Page{Entries: []storage.ListEntry{}},
			back:  &storage.Page{},
			want:  `{"entries":[]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(tt.value)
			require.NoError(t, err)
			require.Equal(t, tt.want, string(text))
			require.NoError(t, json.Unmarshal(text, tt.back))
			require.Equal(t, tt.value, tt.back)
		})
	}
}

// Each exported field has a JSON tag. Otherwise a new field would keep its Go name in JSON.
func TestJSONNamesOfEachField(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[storage.Attrs](), reflect.TypeFor[storage.Properties](), reflect.TypeFor[storage.Encryption](),
		reflect.TypeFor[storage.RestoreState](), reflect.TypeFor[storage.Retention](), reflect.TypeFor[storage.ListEntry](),
		reflect.TypeFor[storage.VersionEntry](), reflect.TypeFor[storage.Page](),
	} {
		for field := range typ.Fields() {
			require.True(t, field.Anonymous || field.Tag.Get("json") != "", "%s.%s", typ, field.Name)
		}
	}
}
