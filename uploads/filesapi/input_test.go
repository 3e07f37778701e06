package filesapi_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// uploadInputs has invalid options of an upload, and the field that the error names.
var uploadInputs = []struct {
	name  string
	spoil func(o *filesapi.UploadOptions)
	field string
}{
	{
		name: "no name",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = ""
		},
		field: "originalFileName",
	},
	{
		name: "a name of spaces",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = " \u00a0\t"
		},
		field: "originalFileName",
	},
	{
		name: "a name of 1,001 characters",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = strings.Repeat("é", 1001)
		},
		field: "originalFileName",
	},
	{
		name: "a name of 10,000 characters",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = strings.Repeat("x", 10_000)
		},
		field: "originalFileName",
	},
	{
		name: "a name that is not text",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a\xff.txt"
		},
		field: "originalFileName",
	},
	{
		name: "a path",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a/b.txt"
		},
		field: "originalFileName",
	},
	{
		name: "a path upwards",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "../../etc/passwd"
		},
		field: "originalFileName",
	},
	{
		name: "a path of Windows",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = `C:\a.txt`
		},
		field: "originalFileName",
	},
	{
		name: "a directory",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = ".."
		},
		field: "originalFileName",
	},
	{
		name: "a NUL",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a.txt\x00.exe"
		},
		field: "originalFileName",
	},
	{
		name: "a line end",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a.txt\r\nX-Evil: 1"
		},
		field: "originalFileName",
	},
	{
		name: "an escape",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "\x1b[31ma.txt"
		},
		field: "originalFileName",
	},
	{
		name: "DEL",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a\x7f.txt"
		},
		field: "originalFileName",
	},
	{
		name: "a C1 control",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a\u0085.txt"
		},
		field: "originalFileName",
	},
	{
		name: "a line separator",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a\u2028.txt"
		},
		field: "originalFileName",
	},
	{
		name: "a right-to-left override",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a\u202egpj.exe"
		},
		field: "originalFileName",
	},
	{
		name: "a left-to-right embedding",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a\u202a.txt"
		},
		field: "originalFileName",
	},
	{
		name: "a right-to-left isolate",
		spoil: func(o *filesapi.UploadOptions) {
			o.OriginalFileName = "a\u2067.txt"
		},
		field: "originalFileName",
	},

	{
		name: "a purpose of 257 characters",
		spoil: func(o *filesapi.UploadOptions) {
			o.Purpose = strings.Repeat("é", 257)
		},
		field: "Purpose",
	},
	{
		name: "a purpose with a control character",
		spoil: func(o *filesapi.UploadOptions) {
			o.Purpose = "a\nb"
		},
		field: "Purpose",
	},
	{
		name: "a purpose that is not text",
		spoil: func(o *filesapi.UploadOptions) {
			o.Purpose = "\xff"
		},
		field: "Purpose",
	},
	{
		name: "a user's ID of 257 characters",
		spoil: func(o *filesapi.UploadOptions) {
			o.UploadedBy = strings.Repeat("x", 257)
		},
		field: "UploadedByUser.ID",
	},
	{
		name: "a user's ID with a NUL",
		spoil: func(o *filesapi.UploadOptions) {
			o.UploadedBy = "a\x00b"
		},
		field: "UploadedByUser.ID",
	},
}

// partInputs are invalid options of a part.
var partInputs = []struct {
	name  string
	spoil func(o *filesapi.PartOptions)
	field string
}{
	{
		name: "no token",
		spoil: func(o *filesapi.PartOptions) {
			o.Token = ""
		},
		field: "token",
	},
	{
		name: "a token of 7 characters",
		spoil: func(o *filesapi.PartOptions) {
			o.Token = "1234567"
		},
		field: "token",
	},
	{
		name: "a token of 129 characters",
		spoil: func(o *filesapi.PartOptions) {
			o.Token = strings.Repeat("x", 129)
		},
		field: "token",
	},
	{
		name: "a token of 10,000 characters",
		spoil: func(o *filesapi.PartOptions) {
			o.Token = strings.Repeat("x", 10_000)
		},
		field: "token",
	},
	{
		name: "a token that is a path",
		spoil: func(o *filesapi.PartOptions) {
			o.Token = "../../../secret"
		},
		field: "token",
	},
	{
		name: "a token with a NUL",
		spoil: func(o *filesapi.PartOptions) {
			o.Token = "12345678\x00"
		},
		field: "token",
	},
	{
		name: "a token of other letters",
		spoil: func(o *filesapi.PartOptions) {
			o.Token = "ééééééééé"
		},
		field: "token",
	},
	{
		name: "no count",
		spoil: func(o *filesapi.PartOptions) {
			o.Count = 0
		},
		field: "count",
	},
	{
		name: "a negative count",
		spoil: func(o *filesapi.PartOptions) {
			o.Count = -1
		},
		field: "count",
	},
	{
		name: "a count of 10,001",
		spoil: func(o *filesapi.PartOptions) {
			o.Count = 10_001
		},
		field: "count",
	},
	{
		name: "a huge count",
		spoil: func(o *filesapi.PartOptions) {
			o.Count = math.MaxInt
		},
		field: "count",
	},
	{
		name: "no part",
		spoil: func(o *filesapi.PartOptions) {
			o.Part = 0
		},
		field: "part",
	},
	{
		name: "a negative part",
		spoil: func(o *filesapi.PartOptions) {
			o.Part = -1
		},
		field: "part",
	},
	{
		name: "a part after the last",
		spoil: func(o *filesapi.PartOptions) {
			o.Part = 3
		},
		field: "part",
	},
	{
		name: "a huge part",
		spoil: func(o *filesapi.PartOptions) {
			o.Part = math.MaxInt
		},
		field: "part",
	},
}

// Each way of uploading refuses invalid options, and stores nothing.
func TestUploadRefusesInput(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	for _, tt := range uploadInputs {
		t.Run(tt.name, func(t *testing.T) {
			opts := fileOptions("a.txt")
			tt.spoil(&opts) // one field becomes invalid

			_, err := f.store.Upload(t.Context(), strings.NewReader("x"), opts)
			requireRefused(t, err, tt.field, uploads.InvalidValue, storage.InvalidArgument)
			_, err = f.store.UploadTemp(t.Context(), strings.NewReader("x"), opts)
			requireRefused(t, err, tt.field, uploads.InvalidValue, storage.InvalidArgument)

			part := filesapi.PartOptions{Token: "token-1234", Count: 1, Part: 1, UploadOptions: opts}
			_, err = f.store.UploadPart(t.Context(), strings.NewReader("x"), part)
			requireRefused(t, err, tt.field, uploads.InvalidValue, storage.InvalidArgument)

			require.Empty(t, keysUnder(t, f.bucket, ""))
		})
	}
}

// UploadPart and UploadTempPart refuse invalid options of a part, and store nothing.
func TestUploadPartRefusesInput(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	for _, tt := range partInputs {
		t.Run(tt.name, func(t *testing.T) {
			opts := partOptions("token-1234", 2, 1)
			tt.spoil(&opts)
			_, err := f.store.UploadPart(t.Context(), strings.NewReader("x"), opts)
			requireRefused(t, err, tt.field, uploads.InvalidValue, storage.InvalidArgument)
			_, err = f.store.UploadTempPart(t.Context(), strings.NewReader("x"), opts)
			requireRefused(t, err, tt.field, uploads.InvalidValue, storage.InvalidArgument)
			require.Empty(t, keysUnder(t, f.bucket, ""))
		})
	}
}

// A record keeps any valid name of a file unchanged. The extension of the name becomes part of the
// key if keys may have that extension.
func TestUploadKeepsNames(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})

	// For each of these file names, the key has this extension.
	for name, extension := range map[string]string{
		"a.txt":                           ".txt",
		"A.JPG":                           ".jpg",
		"archive.tar.GZ":                  ".gz",
		"README":                          "",
		"ends with a point.":              "",
		".bashrc":                         ".bashrc",
		"a.b c":                           "",
		"a.txté":                          "",
		"a.abcdefghijklmno":               ".abcdefghijklmno",
		"a.abcdefghijklmnop":              "",
		"تقرير\u200f.pdf":                 ".pdf",
		"क्\u200dष.png":                   ".png",
		"👩\u200d👩\u200d👧.png":             ".png",
		`<img src=x onerror="alert(1)">.`: "",
		"..a":                             ".a",
		" a .txt":                         ".txt",
		strings.Repeat("🦄", 996) + ".txt": ".txt",
	} {
		record, err := f.store.Upload(t.Context(), strings.NewReader("x"), fileOptions(name))
		require.NoError(t, err, "%q", name)
		require.Equal(t, extension, record.FileExt, "%q", name)

		// The record has the name as it was sent.
		got, err := f.store.Details(t.Context(), record.ID)
		require.NoError(t, err)
		require.Equal(t, name, got.OriginalFileName)
		require.Equal(t, "x", readContent(t, f.store, record.ID))
	}
}

// Every method refuses a string that does not have the form of an ID.
func TestIDsRefused(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})

	// This ID must have a letter, because the test also uses the ID in upper case.
	valid := f.upload(t, "x").ID
	require.NotEqual(t, valid, strings.ToUpper(valid))

	tests := []struct {
		name string
		id   string
	}{
		{name: "empty", id: ""},
		{name: "too short", id: valid[1:]},
		{name: "too long", id: valid + "0"},
		{name: "in upper case", id: strings.ToUpper(valid)},
		{name: "a path", id: "../../records/client/" + valid[:15]},
		{name: "with a NUL", id: valid[:35] + "\x00"},
		{name: "of other letters", id: valid[:34] + "é"},
		{name: "with impossible bits", id: valid[:35] + "1"},
		{name: "of 10,000 characters", id: strings.Repeat("0", 10_000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := f.store.Details(t.Context(), tt.id)
			requireRefused(t, err, "ID", uploads.InvalidValue, storage.InvalidArgument)

			_, _, err = f.store.Download(t.Context(), tt.id)
			requireRefused(t, err, "ID", uploads.InvalidValue, storage.InvalidArgument)

			_, _, err = f.store.DownloadTemp(t.Context(), tt.id)
			requireRefused(t, err, "ID", uploads.InvalidValue, storage.InvalidArgument)

			err = f.store.Delete(t.Context(), tt.id)
			requireRefused(t, err, "ID", uploads.InvalidValue, storage.InvalidArgument)

			_, err = f.store.SetPurpose(t.Context(), tt.id, "x")
			requireRefused(t, err, "ID", uploads.InvalidValue, storage.InvalidArgument)
		})
	}

	require.Equal(t, "x", readContent(t, f.store, valid))
}

// SetPurpose refuses a purpose that is too long, or has characters that cannot be shown.
func TestPurposesRefused(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	id := f.upload(t, "x").ID
	for _, purpose := range []string{strings.Repeat("é", 257), "a\x00b", "a\u202eb"} {
		_, err := f.store.SetPurpose(t.Context(), id, purpose)
		requireRefused(t, err, "Purpose", uploads.InvalidValue, storage.InvalidArgument)
	}
}

// List refuses invalid filters, tokens and sizes, but reduces a size that is too large.
func TestListRefusesInput(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	for range 3 {
		f.upload(t, "x")
	}

	now := f.clock.Now()

	first, err := f.store.List(t.Context(), uploads.Filter{}, "", 1)
	require.NoError(t, err)
	require.NotEmpty(t, first.Token)

	// Change the first letter of a valid token.
	otherLetter := "A"
	if first.Token[0] == 'A' {
		otherLetter = "B"
	}

	tests := map[string]struct {
		filter uploads.Filter
		token  string
		size   int
		field  string
	}{
		"size 0":                       {size: 0, field: "pageSize"},
		"a negative size":              {size: -1, field: "pageSize"},
		"a malformed token":            {size: 1, token: "nonsense", field: "pageToken"},
		"a token of 10,000 characters": {size: 1, token: strings.Repeat("A", 10_000), field: "pageToken"},
		"a token that was changed":     {size: 1, token: otherLetter + first.Token[1:], field: "pageToken"},
		"the token of another filter":  {size: 1, filter: uploads.Filter{Purpose: "x"}, token: first.Token, field: "pageToken"},
		"From after To":                {size: 1, filter: uploads.Filter{From: now, To: now.Add(-time.Hour)}, field: "from"},
		"From equal to To":             {size: 1, filter: uploads.Filter{From: now, To: now}, field: "from"},
		"a purpose that is too long":   {size: 1, filter: uploads.Filter{Purpose: strings.Repeat("x", 257)}, field: "Purpose"},
		"a user's ID with a NUL":       {size: 1, filter: uploads.Filter{User: "\x00"}, field: "UploadedByUser.ID"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := f.store.List(t.Context(), tt.filter, tt.token, tt.size)
			requireRefused(t, err, tt.field, uploads.InvalidValue, storage.InvalidArgument)
		})
	}

	// A size that is too large is reduced, and the page has all files.
	huge, err := f.store.List(t.Context(), uploads.Filter{}, "", math.MaxInt)
	require.NoError(t, err)
	require.Len(t, huge.Records, 3)
}

// In JSON, a Record has fields with these names. The purpose is missing if the record has none.
func TestRecordJSON(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	record, err := f.store.Upload(t.Context(), strings.NewReader("x"), filesapi.UploadOptions{OriginalFileName: "A.TXT"})
	require.NoError(t, err)
	text, err := json.Marshal(record)
	require.NoError(t, err)

	var fields map[string]any
	require.NoError(t, json.Unmarshal(text, &fields))
	require.Equal(t, map[string]any{
		"ID":                record.ID,
		"FileExt":           ".txt",
		"MIMEType":          "text/plain; charset=utf-8",
		"OriginalFileName":  "A.TXT",
		"OriginalLength":    1.0,
		"UploadedByUser.ID": "",
		"Created":           "2026-11-20T12:00:00Z",
		"CRC32C":            float64(record.CRC32C.Sum),
	}, fields)
}
