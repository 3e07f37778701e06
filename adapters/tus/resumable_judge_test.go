package tus

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// The cases of tusd's handler judge package uploads. In tusd's own tests a mocked store says
// which uploads there are; here they are made by requests, on each store. Then the requests of the
// case are sent, and the responses must be those that tusd expects.

// caseFiles are the files with requests of tus 1.0. The other files are not read: get_test.go has downloads, and
// cors_test.go, hooks_test.go and others test the configuration of tusd.
var caseFiles = []string{
	"post_test.go", "patch_test.go", "head_test.go", "options_test.go", "terminate_test.go",
	"concat_test.go",
}

// The cases with the names in leftOutCases, and their subtests, are left out.
var leftOutCases = map[string]string{
	"TestPost/ExperimentalProtocol":         "a draft of the IETF, which is not tus 1.0",
	"TestPatch/ExperimentalProtocol":        "the same",
	"TestHead/ExperimentalProtocol":         "the same",
	"TestOptions/ExperimentalProtocol":      "the same",
	"TestPost/ForwardHeaders":               "Location is a path, or below Config.BaseURL, so that no header of a proxy is trusted",
	"TestPatch/RequestUnlock":               "a mocked lock is asked; the end-to-end test TestLockRelease asks it of a server",
	"TestPatch/NotifyUploadProgress":        "tusd's channels",
	"TestPatch/StopUpload":                  "tusd's channels",
	"TestPatch/BodyReadError":               "a body that fails without a connection; the end-to-end test TestUnexpectedNetworkReset has one",
	"TestPatch/InterruptRequestHandling":    "a cause of tusd's; the end-to-end test TestShutdown asks it of a server",
	"TestOptions/DisableConcatenation":      "a setting of tusd's",
	"TestOptions/DisableTermination":        "a setting of tusd's",
	"TestConcat/DisableConcatenation":       "a setting of tusd's",
	"TestTerminate/RejectTermination":       "a setting of tusd's",
	"TestTerminate/NotProvided":             "a store of tusd's that cannot terminate",
	"TestConcat/Final/UploadIDsWithSlashes": "IDs of uploads have no slashes",
}

// A difference is something that tus leaves open, or that tus defines in another way than tusd.
type difference struct {
	code    int      // in place of tusd's; 0: tusd's
	headers []string // of tusd's that are not compared
	partial bool     // the file is not completed
	why     string
}

var caseDifferences = map[string]difference{
	"TestPost/Create": {
		code:    http.StatusBadRequest,
		headers: []string{"Location"},
		why:     "metadata that is not in base64 is refused, and not ignored",
	},
	"TestPost/WithUpload/IncorrectContentType": {
		headers: []string{"Upload-Offset"},
		why:     "the response has the offset 0",
	},
	"TestPost/WithUpload/UploadToFinalUpload": {
		code: http.StatusBadRequest,
		why:  "the header Upload-Length of a final upload is refused first, as tus demands",
	},
	"TestPatch/InvalidContentTypeFail": {
		code: http.StatusUnsupportedMediaType,
		why:  "tus: SHOULD be 415",
	},
	"TestPatch/OverflowWithoutLength": {
		partial: true,
		why:     "no file is made of the first bytes of a client that sends more than it announced",
	},
	"TestHead/Status": {
		headers: []string{"Content-Length"},
		why:     "it is the length of the response, and not of the upload",
	},
	"TestOptions/Discovery":            {code: http.StatusNoContent, why: "tus: 204 or 200"},
	"TestTerminate/ExtensionDiscovery": {code: http.StatusNoContent, why: "the same"},
	"TestConcat/ExtensionDiscovery":    {code: http.StatusNoContent, why: "the same"},
	"TestConcat/Final/Create": {
		headers: []string{"X-Custom-Resp-Header"},
		why:     "a hook of tusd's adds it",
	},
	"TestConcat/Final/CreateWithUnfinishedFail": {
		code: http.StatusUnprocessableEntity,
		why:  "as of all parts that are missing",
	},
}

// Each case of tusd's own tests passes with the handler Resumable, except for those in leftOutCases. In the cases of
// caseDifferences, the handler may respond in another way than tusd.
func TestTusdsCasesJudgeResumable(t *testing.T) {
	cases := readCases(t)
	require.GreaterOrEqual(t, len(cases), 30)

	// Replay the cases on each store.
	for _, store := range resumableStores {
		t.Run(store.name, func(t *testing.T) {
			bucket, err := storage.Open(t.Context(), store.address(t))
			require.NoError(t, err)
			t.Cleanup(func() {
				require.NoError(t, storage.Close(bucket))
			})
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					newReplay(t, bucket, c).run()
				})
			}
		})
	}
}

// readCases returns the cases of tusd that are not left out. Each name in leftOutCases and in caseDifferences must be
// that of a case.
func readCases(t *testing.T) []*tusdCase {
	t.Helper()
	found := map[string]bool{}
	cases := tusdCases(t, caseFiles, func(name string) (skip bool) {
		found[name] = true
		_, isLeftOut := leftOutCases[name]
		return isLeftOut
	})
	for name := range leftOutCases {
		require.True(t, found[name], "tusd has no case %s", name)
	}

	for name := range caseDifferences {
		hasName := func(c *tusdCase) bool { return c.name == name }
		require.True(t, slices.ContainsFunc(cases, hasName), "tusd has no case %s", name)
	}
	return cases
}

// A replay runs one of tusd's cases on one bucket.
type replay struct {
	t          *testing.T
	bucket     storage.Bucket
	tusdCase   *tusdCase
	difference difference
	setUpURL   string            // of a handler without a limit of size, which creates the uploads
	testedURL  string            // of the handler with the limit of the case
	paths      map[string]string // of the uploads, by tusd's IDs

	mu   sync.Mutex
	keys []string // of completed files
}

// replayClient keeps no connections.
var replayClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// newReplay returns a replay of one of tusd's cases over a bucket, whose keys it records.
func newReplay(t *testing.T, bucket storage.Bucket, c *tusdCase) *replay {
	r := &replay{
		t:          t,
		bucket:     bucket,
		tusdCase:   c,
		difference: caseDifferences[c.name],
		paths:      map[string]string{},
	}
	serve := func(maxSize int64) (url string) {
		config := resumableConfig(func(key string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.keys = append(r.keys, key)
		})
		config.Rules = rules.Any(maxSize)
		handler, err := uploads.New(bucket, config)
		require.NoError(t, err)
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	r.setUpURL = serve(0)
	r.testedURL = serve(c.maxSize)
	return r
}

// run creates the uploads of the case, sends its requests and requires the expected responses and files.
func (r *replay) run() {
	for _, u := range r.tusdCase.uploads {
		if u.known {
			r.createUpload(u)
		}
	}

	var sent []byte // by all requests
	for _, q := range r.tusdCase.requests {
		completed := len(r.completed())
		response := r.send(r.testedURL, r.path(q.id), q)

		require.Equal(r.t, cmp.Or(r.difference.code, q.code), response.StatusCode)
		r.requireHeader(q.want, response.Header)
		sent = append(sent, q.body...)
		if len(r.completed()) > completed && q.id != "" {
			r.requireFile(q.id, sent)
		}
	}
	if r.difference.partial {
		require.Empty(r.t, r.completed())
	}
}

// completed returns the keys of the files.
func (r *replay) completed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.keys)
}

// requireFile requires that the content of the last completed file is what the upload with this ID had received
// before the replay, followed by body.
func (r *replay) requireFile(id string, body []byte) {
	want := body
	for _, u := range r.tusdCase.uploads {
		if u.id == id {
			want = append(earlierBytes(u), want...)
		}
	}
	keys := r.completed()
	got, _, err := storage.ReadAll(r.t.Context(), r.bucket, keys[len(keys)-1])
	require.NoError(r.t, err)
	require.Equal(r.t, string(want), string(got))
}

// earlierBytes returns the bytes that an upload has when its case begins. Tusd's mocked store says only how many there
// are.
func earlierBytes(u *tusdUpload) []byte { return bytes.Repeat([]byte("x"), int(u.offset)) }

// path returns the path of the upload with this ID in tusd's case. Without an ID, it is the path that creates uploads.
func (r *replay) path(id string) string {
	if id == "" {
		return cmp.Or(r.paths[id], "/tus/")
	}
	if path, ok := r.paths[id]; ok {
		return path
	}
	return "/tus/" + strings.Repeat("A", 26) // a valid ID of no upload
}

// createUpload creates an upload that tusd's mocked store has before the requests of the case, with its bytes.
func (r *replay) createUpload(u *tusdUpload) {
	header := map[string]string{"Tus-Resumable": "1.0.0"}
	switch {
	case u.final:
		header["Upload-Concat"] = r.concatHeader(u)
	case u.deferred:
		header["Upload-Defer-Length"] = "1"
	default:
		length := u.size
		if u.size < u.offset {
			// Some cases give no size. Their upload is unfinished, so its length is greater than its offset.
			length = u.offset + 1
		}
		header["Upload-Length"] = strconv.FormatInt(length, 10)
	}
	// Tusd joins also uploads that are not partial, as in the case with the ID "huge".
	if u.partial || u.id == "huge" {
		header["Upload-Concat"] = "partial"
	}
	var metadata []string
	for name, value := range u.metadata {
		metadata = append(metadata, name+" "+base64.StdEncoding.EncodeToString([]byte(value)))
	}
	header["Upload-Metadata"] = strings.Join(metadata, ",")

	response := r.send(r.setUpURL, "/tus/", tusdRequest{method: http.MethodPost, header: header})
	require.Equal(r.t, http.StatusCreated, response.StatusCode)
	r.paths[u.id] = response.Header.Get("Location")
	if u.offset == 0 || u.final {
		return
	}
	response = r.send(r.setUpURL, r.paths[u.id], tusdRequest{
		method: http.MethodPatch,
		body:   earlierBytes(u),
		header: map[string]string{
			"Tus-Resumable": "1.0.0",
			"Upload-Offset": "0",
			"Content-Type":  "application/offset+octet-stream",
		},
	})
	require.Equal(r.t, http.StatusNoContent, response.StatusCode)
}

// concatHeader creates the partial uploads that the final upload u joins, and returns the header
// Upload-Concat of u.
func (r *replay) concatHeader(u *tusdUpload) string {
	pieces := u.pieces
	if len(pieces) == 0 {
		pieces = []string{"a", "b"}
	}

	size := u.size / int64(len(pieces))
	addresses := make([]string, len(pieces))
	for i, id := range pieces {
		r.createUpload(&tusdUpload{id: id, size: size, offset: size, partial: true})
		addresses[i] = "http://tus.io/files/" + id
	}
	return r.replaceURLs("final;" + strings.Join(addresses, " "))
}

// replaceURLs replaces tusd's URLs of uploads in the value of a header, such as "final;http://tus.io/files/a", by those of
// this replay.
func (r *replay) replaceURLs(value string) string {
	const final = "final;"
	words := strings.Split(value, " ")
	for i, word := range words {
		for id, path := range r.paths {
			if !strings.HasSuffix(strings.TrimSuffix(word, "/"), "/files/"+id) {
				continue
			}
			words[i] = r.setUpURL + path
			if strings.HasPrefix(word, final) {
				words[i] = final + words[i]
			}
		}
	}
	return strings.Join(words, " ")
}

// send sends one request of the case, and returns the response with its body read.
func (r *replay) send(base, path string, q tusdRequest) *http.Response {
	var body io.Reader
	if q.unsized {
		body = io.MultiReader(bytes.NewReader(q.body))
	} else if q.body != nil {
		body = bytes.NewReader(q.body)
	}

	req, err := http.NewRequestWithContext(r.t.Context(), q.method, base+path, body)
	require.NoError(r.t, err)
	for name, value := range q.header {
		if value != "" {
			req.Header.Set(name, r.replaceURLs(value))
		}
	}

	resp, err := replayClient.Do(req)
	require.NoError(r.t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(r.t, err)
	require.NoError(r.t, resp.Body.Close())
	return resp
}

// requireHeader requires that a response has the header that tusd's case expects, except the fields in
// difference.headers. Package uploads may have its own URLs, and more extensions of tus than tusd.
func (r *replay) requireHeader(want map[string]string, header http.Header) {
	for name, value := range want {
		if slices.Contains(r.difference.headers, name) {
			continue
		}
		got := header.Get(name)
		switch name {
		case "Location":
			require.NotEmpty(r.t, got)
		case "Tus-Extension":
			require.Subset(r.t, strings.Split(got, ","), strings.Split(value, ","))
		default:
			require.Equal(r.t, r.replaceURLs(value), got, name)
		}
	}
}
