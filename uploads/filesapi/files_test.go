package filesapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	filesclient "github.com/omnibucket/storage/uploads/client"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// runOnEachAPI runs a test on each kind of bucket and of records.
func runOnEachAPI(t *testing.T, test func(t *testing.T, a *api)) {
	t.Helper()
	for _, place := range places() {
		for _, backend := range backends() {
			t.Run(place.name+", records in "+backend.name, func(t *testing.T) {
				bucket := place.open(t)
				clock := newClock()
				f := &fixture{bucket: bucket, records: backend.open(t, bucket), clock: clock}
				var err error
				f.store, err = filesapi.NewStore(bucket, f.records, filesapi.StoreConfig{Now: clock.Now})
				require.NoError(t, err)
				test(t, newAPI(t, f, filesapi.HandlerConfig{}))
			})
		}
	}
}

// A file goes through its whole life over HTTP.
func TestHandlerClientFile(t *testing.T) { runOnEachAPI(t, testClientFile) }

// testClientFile uploads a client file, downloads it, changes its purpose and deletes it.
func testClientFile(t *testing.T, a *api) {
	const name = `Größe "x" & Form ☕.PDF`
	record, err := a.client.Upload(t.Context(), name, strings.NewReader("0123456789"), "invoices")
	require.NoError(t, err)

	sum := crc32.Checksum([]byte("0123456789"), crc32.MakeTable(crc32.Castagnoli))
	require.Equal(t, &filesapi.Record{
		ID:               record.ID,
		FileExt:          ".pdf",
		MIMEType:         "application/pdf",
		OriginalFileName: name,
		OriginalLength:   10,
		UploadedBy:       "user-1",
		Purpose:          "invoices",
		Created:          newClock().Now(),
		CRC32C:           storage.CRC32C{Sum: sum, Known: true},
	}, record)

	details, err := a.client.Details(t.Context(), record.ID)
	require.NoError(t, err)
	require.Equal(t, record, details)

	// The content of the file can be downloaded.
	c, err := a.client.Download(t.Context(), record.ID, "")
	require.NoError(t, err)
	body, err := io.ReadAll(c)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Equal(t, "0123456789", string(body))
	require.Equal(t, name, c.FileName)
	require.Equal(t, "application/pdf", c.ContentType)
	c, err = a.client.Head(t.Context(), record.ID)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.EqualValues(t, 10, c.Length)

	// The file's purpose can be removed, and then the file itself.
	newRecord, err := a.client.SetPurpose(t.Context(), record.ID, "")
	require.NoError(t, err)
	require.Empty(t, newRecord.Purpose)
	require.NoError(t, a.client.Delete(t.Context(), record.ID))
	_, err = a.client.Details(t.Context(), record.ID)
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
	_, err = a.client.Head(t.Context(), record.ID)
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.NoError(t, a.client.Delete(t.Context(), record.ID), "a retry is safe")
}

// A temp file can be uploaded and downloaded over HTTP.
func TestHandlerTempFile(t *testing.T) { runOnEachAPI(t, testTempFile) }

// testTempFile uploads a temp file and downloads a part of it, which works only by the methods for temp files.
func testTempFile(t *testing.T, a *api) {
	record, err := a.client.UploadTemp(t.Context(), "a.txt", strings.NewReader("content"))
	require.NoError(t, err)
	c, err := a.client.DownloadTemp(t.Context(), record.ID, "bytes=1-2")
	require.NoError(t, err)
	body, err := io.ReadAll(c)
	require.NoError(t, err)

	require.NoError(t, c.Close())
	require.Equal(t, "on", string(body))
	require.Equal(t, "bytes 1-2/7", c.Range)

	// The methods for client files do not find the temp file.
	_, err = a.client.Details(t.Context(), record.ID)
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
	_, err = a.client.Download(t.Context(), record.ID, "")
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err))

	// Delete is for client files, so it does not delete the temp file.
	require.NoError(t, a.client.Delete(t.Context(), record.ID))
	c, err = a.client.HeadTemp(t.Context(), record.ID)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// A file can be uploaded in parts over HTTP.
func TestHandlerParts(t *testing.T) { runOnEachAPI(t, testParts) }

// testParts uploads client files and temp files in parts that arrive in any order.
func testParts(t *testing.T, a *api) {
	for _, kind := range []string{"client", "temp"} {
		t.Run(kind, func(t *testing.T) {
			upload := a.client.UploadPart
			download := a.client.Download
			if kind == "temp" {
				upload = a.client.UploadTempPart
				download = a.client.DownloadTemp
			}

			const count = 3 // parts of the file
			send := func(part, count int, content string) (*filesapi.Record, error) {
				p := filesclient.Part{Token: "token-1234", Count: count, Part: part, OriginalFileName: "a.txt"}
				return upload(t.Context(), p, strings.NewReader(content))
			}

			// Parts may come in any order, and be replaced. While a part is missing, there is no record.
			for _, sent := range []struct {
				part    int
				content string
			}{
				{part: 3, content: "three"},
				{part: 1, content: "wrong"},
				{part: 1, content: "one"},
			} {
				record, err := send(sent.part, count, sent.content)
				require.NoError(t, err)
				require.Nil(t, record)
			}

			// The number of parts of a file cannot change.
			_, err := send(2, count+1, "x")
			require.Equal(t, uploads.PartsChanged, uploads.CodeOf(err))

			// The last missing part completes the file.
			record, err := send(2, count, "two")
			require.NoError(t, err)
			require.NotNil(t, record)
			require.EqualValues(t, len("onetwothree"), record.OriginalLength)

			// The file has the content of the parts in the order of their numbers.
			c, err := download(t.Context(), record.ID, "")
			require.NoError(t, err)
			body, err := io.ReadAll(c)
			require.NoError(t, err)
			require.NoError(t, c.Close())
			require.Equal(t, "onetwothree", string(body))

			// A part that is sent again is refused, and the error has the record of the file.
			_, err = send(2, count, "two")
			var refusal *filesclient.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, http.StatusConflict, refusal.Status)
			require.Equal(t, uploads.Completed, refusal.Err.Code)
			require.Equal(t, "token", refusal.Err.Field)
			require.Equal(t, record, refusal.Record)
		})
	}
}

// The client can list files over HTTP, in pages and with filters.
func TestHandlerList(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	api := newAPI(t, f, filesapi.HandlerConfig{})

	empty := api.get(t, "/files")
	require.JSONEq(t, `{"Items": []}`, empty.body)

	// Store five files, one second apart.
	var ids []string
	for i := range 5 {
		name := fmt.Sprintf("%d.txt", i)
		purpose := []string{"even", "odd"}[i%2]
		record, err := api.client.Upload(t.Context(), name, strings.NewReader("x"), purpose)
		require.NoError(t, err)
		ids = append(ids, record.ID)
		f.clock.Advance(time.Second)
	}

	// list reads all pages, and returns the IDs and the number of pages.
	list := func(filter uploads.Filter, size int) (listed []string, pages int) {
		token := ""
		for {
			page, err := api.client.List(t.Context(), filter, token, size)
			require.NoError(t, err)
			pages++
			for _, r := range page.Records {
				listed = append(listed, r.ID)
			}
			token = page.Token
			if token == "" {
				return listed, pages
			}
		}
	}

	// Five files are three pages of at most two.
	all, pages := list(uploads.Filter{}, 2)
	require.Equal(t, ids, all)
	require.Equal(t, 3, pages)

	// Filters select some of the files, or none.
	odd, _ := list(uploads.Filter{Purpose: "odd"}, 1)
	require.Equal(t, []string{ids[1], ids[3]}, odd)

	start := newClock().Now() // the time of the first file
	betweenTimes := uploads.Filter{From: start.Add(time.Second), To: start.Add(3 * time.Second), User: "user-1"}
	some, _ := list(betweenTimes, 0)
	require.Equal(t, ids[1:3], some)

	none, _ := list(uploads.Filter{User: "user-2"}, 0)
	require.Empty(t, none)
}

// DeleteMany reports each file as deleted, in the order of the request. It does so even for a
// missing file, and for a file that the request names twice.
func TestHandlerDeleteMany(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	api := newAPI(t, f, filesapi.HandlerConfig{})
	first := f.upload(t, "1")
	second := f.upload(t, "2")
	keptRecord := f.upload(t, "3")
	absentID := uploads.NewID(f.clock.Now())

	deletions, err := api.client.DeleteMany(t.Context(), []string{second.ID, absentID, first.ID, second.ID})
	require.NoError(t, err)
	require.Equal(t, []filesclient.Deletion{
		{ID: second.ID, Deleted: true},
		{ID: absentID, Deleted: true},
		{ID: first.ID, Deleted: true},
		{ID: second.ID, Deleted: true},
	}, deletions)

	all, err := f.store.List(t.Context(), uploads.Filter{}, "", 10)
	require.NoError(t, err)
	require.Len(t, all.Records, 1)
	require.Equal(t, keptRecord.ID, all.Records[0].ID)
}

// If an ID is malformed, DeleteMany fails for this ID only, and deletes the other files.
func TestDeleteManyMalformedID(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	api := newAPI(t, f, filesapi.HandlerConfig{})
	file := f.upload(t, "1")

	deletions, err := api.client.DeleteMany(t.Context(), []string{"nonsense", file.ID, ""})
	require.NoError(t, err)
	require.Len(t, deletions, 3)

	// DeleteMany fails for the malformed IDs, and the file is deleted.
	requireMalformed := func(id string, deletion filesclient.Deletion) {
		require.Equal(t, id, deletion.ID)
		require.False(t, deletion.Deleted)
		requireRefused(t, deletion.Err, "ID", uploads.InvalidValue, storage.InvalidArgument)
	}
	requireMalformed("nonsense", deletions[0])
	require.Equal(t, filesclient.Deletion{ID: file.ID, Deleted: true}, deletions[1])
	requireMalformed("", deletions[2])

	all, err := f.store.List(t.Context(), uploads.Filter{}, "", 10)
	require.NoError(t, err)
	require.Empty(t, all.Records)
}

// An error that the client gets over HTTP has the same code as the error of the store.
func TestHandlerErrorHasCodeOfStore(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	api := newAPI(t, f, filesapi.HandlerConfig{})
	_, err := api.client.Details(t.Context(), uploads.NewID(f.clock.Now()))
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err))
	_, err = api.client.Details(t.Context(), "nonsense")
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// One request can delete as many files as Config.MaxDelete, even if their IDs do not fit into 64 KiB.
func TestDeleteManyAtLimit(t *testing.T) {
	const manyIDs = 2000 // more than fit into 64 KiB
	tests := []struct {
		name      string
		maxDelete int
	}{
		{name: "a limit that is reached", maxDelete: manyIDs},
		{name: "the greatest limit", maxDelete: math.MaxInt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})
			api := newAPI(t, f, filesapi.HandlerConfig{MaxDelete: tt.maxDelete})

			// One of the IDs is that of a file.
			ids := []string{f.upload(t, "x").ID}
			for len(ids) < manyIDs {
				ids = append(ids, uploads.NewID(f.clock.Now()))
			}

			// Indentation makes the document even longer.
			document, err := json.MarshalIndent(map[string]any{"Items": ids}, "", "    ")
			require.NoError(t, err)

			resp := api.do(t, "POST", "/files/delete", "application/json", bytes.NewReader(document))
			require.Equal(t, http.StatusOK, resp.status, "%s", resp.body)
			require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
		})
	}
}

// A client may send the purpose before or after the file.
func TestHandlerTakesPurposeAfterFile(t *testing.T) {
	tests := []struct {
		name   string
		fields []formField
		want   string // purpose
	}{
		{name: "before", fields: []formField{newField("Purpose", "invoices"), validFile}, want: "invoices"},
		{name: "after", fields: []formField{validFile, newField("Purpose", "invoices")}, want: "invoices"},
		{name: "an empty one after", fields: []formField{validFile, newField("Purpose", "")}, want: ""},
		{name: "none", fields: []formField{validFile}, want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})
			api := newAPI(t, f, filesapi.HandlerConfig{})
			body, contentType := newForm(t, tt.fields)

			resp := api.do(t, "POST", "/files", contentType, body)
			require.Equal(t, http.StatusCreated, resp.status, "%s", resp.body)
			var record filesapi.Record
			require.NoError(t, json.Unmarshal([]byte(resp.body), &record))
			require.Equal(t, tt.want, record.Purpose)

			// The stored record has the same purpose.
			details, err := f.store.Details(t.Context(), record.ID)
			require.NoError(t, err)
			require.Equal(t, tt.want, details.Purpose)
			require.Equal(t, "content", readContent(t, f.store, record.ID))
		})
	}
}

// A download has headers that keep a browser from running its content.
func TestDownloadIsSafeToOpen(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	api := newAPI(t, f, filesapi.HandlerConfig{})

	// These files have dangerous types, or dangerous characters in their names.
	for name, content := range map[string]string{
		"page.html":      "<script>alert(1)</script>",
		"picture.svg":    "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
		`a";b=c.txt`:     "x",
		"ünïcödé ☕.txt":  "x",
		"semi;colon.txt": "x",
	} {
		record, err := f.store.Upload(t.Context(), strings.NewReader(content), fileOptions(name))
		require.NoError(t, err)
		for _, method := range []string{"GET", "HEAD"} {
			resp := api.do(t, method, "/files/"+record.ID+"/content", "", nil)
			require.Equal(t, http.StatusOK, resp.status)

			// The browser saves the file under its name.
			disposition, params, err := mime.ParseMediaType(resp.header.Get("Content-Disposition"))
			require.NoError(t, err)
			require.Equal(t, "attachment", disposition)
			require.Equal(t, name, params["filename"])

			// If a browser shows the content anyway, it runs no script in the content.
			require.Equal(t, record.MIMEType, resp.header.Get("Content-Type"))
			require.Equal(t, "nosniff", resp.header.Get("X-Content-Type-Options"))
			require.Contains(t, resp.header.Get("Content-Security-Policy"), "sandbox")
			require.Equal(t, "private, no-cache", resp.header.Get("Cache-Control"))
		}
	}
}

// A download obeys the header Range and the conditional headers of HTTP.
func TestDownloadConditions(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	api := newAPI(t, f, filesapi.HandlerConfig{})
	path := "/files/" + f.upload(t, "0123456789").ID + "/content"

	etag := api.get(t, path).header.Get("Etag")
	require.NotEmpty(t, etag)

	tests := []struct {
		name       string
		header     []string // names and values alternate
		wantStatus int
		wantBody   string
	}{
		{
			name:       "a range",
			header:     []string{"Range", "bytes=2-4"},
			wantStatus: http.StatusPartialContent,
			wantBody:   "234",
		},
		{
			name:       "the last bytes",
			header:     []string{"Range", "bytes=-2"},
			wantStatus: http.StatusPartialContent,
			wantBody:   "89",
		},
		{
			name:       "If-None-Match with the same ETag",
			header:     []string{"If-None-Match", etag},
			wantStatus: http.StatusNotModified,
		},
		{
			name:       "If-None-Match with another ETag",
			header:     []string{"If-None-Match", `"other"`},
			wantStatus: http.StatusOK,
			wantBody:   "0123456789",
		},
		{
			name:       "a range, If-Range with another ETag",
			header:     []string{"Range", "bytes=2-4", "If-Range", `"other"`},
			wantStatus: http.StatusOK,
			wantBody:   "0123456789",
		},
		{
			name:       "If-Match with another ETag",
			header:     []string{"If-Match", `"other"`},
			wantStatus: http.StatusPreconditionFailed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := api.get(t, path, tt.header...)
			require.Equal(t, tt.wantStatus, resp.status)
			require.Equal(t, tt.wantBody, resp.body)
		})
	}

	// A range after the end of the file is refused.
	resp := api.get(t, path, "Range", "bytes=10-")
	resp.requireProblem(t, http.StatusRequestedRangeNotSatisfiable, "Range", uploads.InvalidValue)
	require.Equal(t, "bytes */10", resp.header.Get("Content-Range"))
	require.Empty(t, resp.header.Get("Content-Disposition"))
}

// Responses do not show the errors of the store. Only the application gets these errors.
func TestHandlerHidesErrorsOfStore(t *testing.T) {
	clock := newClock()
	injector := faults.New()
	bucket := engine.New(
		memstore.NewDriver(memstore.Config{Now: clock.Now}),
		driver.WithLayer(injector.Layer()),
		withoutRetry,
	)
	f := newFixture(t, filesapi.StoreConfig{}, clock, bucket)
	api := newAPI(t, f, filesapi.HandlerConfig{})
	record := f.upload(t, "x")

	// From now on, every call to the store fails.
	secret := &storage.Error{Code: storage.Unavailable, Bucket: "secret-bucket", Hint: "secret-host"}
	injector.Set(faults.Fail(faults.Any).WithError(secret))

	form, contentType := newForm(t, []formField{validFile})
	responses := []response{
		api.do(t, "POST", "/files", contentType, form),
		api.get(t, "/files"),
		api.get(t, "/files/"+record.ID),
		api.get(t, "/files/"+record.ID+"/content"),
		api.do(t, "DELETE", "/files/"+record.ID, "", nil),
	}
	for _, resp := range responses {
		resp.requireProblem(t, http.StatusServiceUnavailable, "", uploads.StoreFailed)
		require.NotContains(t, resp.body, "secret")
		require.NotContains(t, resp.body, "files/", "the key of an object must not be shown")
	}

	// The application gets the error of each of the five requests.
	require.Len(t, api.serverErrors, 5)
	for _, err := range api.serverErrors {
		require.Equal(t, storage.Unavailable, storage.CodeOf(err))
	}
}
