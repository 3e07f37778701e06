package driverstore

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// asFirstForm rewrites the records of uploads in the form of the server's first version. This form
// lacks the field Place. asFirstForm requires that the records have all fields of the golden
// records from that version.
func (r *records) asFirstForm(t *testing.T) {
	t.Helper()
	golden := map[string]map[string]any{}
	text, err := os.ReadFile("testdata/f63eaf37/records.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &golden))

	for _, name := range r.names(t) {
		kind, _, _ := strings.Cut(name, "/")
		if golden[kind] == nil || isStaged(name) {
			continue
		}
		_, body, err := r.driver.Get(t.Context(), &driver.GetRequest{Key: r.prefix + name, Length: -1})
		require.NoError(t, err)
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		record := map[string]any{}
		require.NoError(t, json.Unmarshal(text, &record))
		delete(record, "Place")

		for field := range golden[kind] {
			require.Contains(t, record, field, "a field of the first form is written under another name")
		}

		text, err = json.Marshal(record)
		require.NoError(t, err)
		r.putRaw(t, name, string(text), storage.Properties{ContentType: "application/json"})
	}
}

// An upload can be continued even if its records have the first stored form, which does not name the bucket.
func TestRecordsOfTheFirstFormAreContinued(t *testing.T) {
	for _, tt := range recordCases {
		if tt.stages {
			// If parts are staged, it is unknown whether the records were copied, so the upload
			// starts over.
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			// Begin an upload, and rewrite its records in the first form.
			s := newStore(t, tt.newService(t), "photos")
			u := beginUpload(t, s, "photos")
			recordsOf(t, s, "photos").asFirstForm(t)

			// The upload is found and listed.
			reread, err := s.Upload(t.Context(), "photos", "k", u.ID)
			require.NoError(t, err)

			var listed []string
			_, err = s.ListUploads(
				t.Context(), "photos", state.Listing{Max: 10}, state.UploadPosition{},
				func(u *state.Upload, _ string) {
					listed = append(listed, u.ID)
				},
			)
			require.NoError(t, err)
			require.Equal(t, []string{u.ID}, listed)

			// A sweep keeps the upload, and the upload can be aborted.
			s.SweepUploads(t.Context())
			parts, _, err := s.Parts(t.Context(), reread, 0, 10)
			require.NoError(t, err)
			require.Len(t, parts, 1)

			require.NoError(t, s.Abort(t.Context(), reread))
			_, err = s.Upload(t.Context(), "photos", "k", u.ID)
			require.True(t, s3error.Is(err, "NoSuchUpload"), "%v", err)
			require.NoError(t, s.DeleteBucket(t.Context(), "photos"))
		})
	}
}

// Records of the first stored form have no effect in a bucket to which they were copied together with the objects.
func TestCopiedRecordsOfTheFirstFormMeanNothing(t *testing.T) {
	s := newStore(t, onlyObjects{newMemoryService()}, "photos", "archive")
	u := beginUpload(t, s, "photos")
	recordsOf(t, s, "photos").asFirstForm(t)
	copyRecords(t, recordsOf(t, s, "photos"), recordsOf(t, s, "archive"))

	_, err := s.Upload(t.Context(), "archive", "k", u.ID)
	require.True(t, s3error.Is(err, "NoSuchUpload"), "%v", err)
	require.NoError(t, s.DeleteBucket(t.Context(), "archive"), "they do not keep the bucket")

	_, err = s.Upload(t.Context(), "photos", "k", u.ID)
	require.NoError(t, err)
}

// The records that this code writes have the fields of the newest golden file. If they have other
// fields, these are a new stored form. Number the new form in docs/maintainers/stored-forms.md, and
// let this test write its golden file to OMNIBUCKET_STORED_FORMS.
func TestRecordsHaveGoldenFile(t *testing.T) {
	s := newStore(t, onlyObjects{newMemoryService()}, "photos")
	beginUpload(t, s, "photos")

	// Read a record of each kind. The first part of a record's name is its kind.
	r := recordsOf(t, s, "photos")
	forms := map[string]map[string]any{}
	for _, name := range r.names(t) {
		kind, _, _ := strings.Cut(name, "/")
		record := map[string]any{}
		_, err := r.get(t.Context(), name, &record)
		require.NoError(t, err)
		forms[kind] = record
	}

	// A maintainer sets the variable to write a new golden file.
	if path := os.Getenv("OMNIBUCKET_STORED_FORMS"); path != "" {
		text, err := json.MarshalIndent(forms, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o600))
	}

	// Compare only the fields, because the values differ from run to run.
	text, err := os.ReadFile("testdata/ed2780f2/records.json")
	require.NoError(t, err)
	golden := map[string]map[string]any{}
	require.NoError(t, json.Unmarshal(text, &golden))
	require.Equal(t, fieldsOf(golden), fieldsOf(forms))
}

// fieldsOf returns the names of the fields of each kind of record, and of the objects in them.
func fieldsOf(records map[string]map[string]any) (fields []string) {
	for kind, record := range records {
		for name, value := range record {
			inner, _ := value.(map[string]any)
			fields = append(fields, fmt.Sprintf("%s %s %T", kind, name, value))
			for _, field := range slices.Sorted(maps.Keys(inner)) {
				fields = append(fields, fmt.Sprintf("%s %s %s %T", kind, name, field, inner[field]))
			}
		}
	}
	slices.Sort(fields)
	return fields
}
