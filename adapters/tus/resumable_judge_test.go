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

// caseFiles are the files with requests of tus 1.0. The others are not read:
// get_test.go has downloads, and cors_test.go, hooks_test.go and the rest tusd's own configuration.
var caseFiles = []string{
	"post_test.go", "patch_test.go", "head_test.go", "options_test.go", "terminate_test.go",
	"concat_test.go",
}

// leftOutCases are not asked, with those below them.
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

// A difference is what tus leaves open, or says otherwise than tusd.
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

// Each case of tusd's own tests passes with the handler Resumable, or has a reason in one of the lists above.
func TestTusdsCasesJudgeResumable(t *testing.T) {
	leftOut := map[string]bool{}
	cases := tusdCases(t, caseFiles, func(name string) bool {
		_, listed := leftOutCases[name]
		leftOut[name] = listed
		return listed
	})
	exists := map[string]bool{}
	for _, c := range cases {
		exists[c.name] = true
	}

	// The lists name cases that tusd has.
	for name := range leftOutCases {
		require.True(t, leftOut[name], "tusd has no case %s", name)
	}
	for name := range caseDifferences {
		require.True(t, exists[name], "tusd has no case %s", name)
	}
	require.GreaterOrEqual(t, len(cases), 30)

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

// A replay asks one case on one bucket.
type replay struct {
	t      *testing.T
	bucket storage.Bucket
	asked  *tusdCase
	differ difference
	open   string            // the address of a handler without a limit
	judged string            // of the handler with that of the case
	paths  map[string]string // of uploads, by tusd's IDs

	mu   sync.Mutex
	made []string // keys of completed files
}

// replayClient keeps no connections.
var replayClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func newReplay(t *testing.T, bucket storage.Bucket, c *tusdCase) *replay {
	r := &replay{t: t, bucket: bucket, asked: c, differ: caseDifferences[c.name], paths: map[string]string{}}
	serve := func(maxSize int64) string {
		config := resumableConfig(func(key string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.made = append(r.made, key)
		})
		config.Rules = rules.Any(maxSize)
		handler, err := uploads.New(bucket, config)
		require.NoError(t, err)
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	r.open, r.judged = serve(0), serve(c.maxSize)
	return r
}

func (r *replay) run() {
	for _, u := range r.asked.uploads {
		if u.known {
			r.make(u)
		}
	}
	var body []byte
	for _, q := range r.asked.requests {
		count := len(r.completed())
		response := r.send(r.judged, r.path(q.id), q)
		code := q.code
		if r.differ.code != 0 {
			code = r.differ.code
		}

		require.Equal(r.t, code, response.StatusCode)
		r.compare(q, response)
		body = append(body, q.body...)
		if len(r.completed()) > count && q.id != "" {
			r.requireFile(q.id, body)
		}
	}
	if r.differ.partial {
		require.Empty(r.t, r.completed())
	}
}

// completed returns the keys of the files.
func (r *replay) completed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.made)
}

// requireFile requires that the last file has the bytes of the upload, and those that were sent.
func (r *replay) requireFile(id string, body []byte) {
	files := r.completed()
	content, _, err := storage.ReadAll(r.t.Context(), r.bucket, files[len(files)-1])
	require.NoError(r.t, err)
	for _, u := range r.asked.uploads {
		if u.id == id {
			body = append(bytes.Repeat([]byte("x"), int(u.offset)), body...)
		}
	}
	require.Equal(r.t, string(body), string(content))
}

// path returns the path of an upload by tusd's ID.
func (r *replay) path(id string) string {
	if path, ok := r.paths[id]; ok || id == "" {
		return cmp.Or(path, "/tus/")
	}
	return "/tus/" + strings.Repeat("A", 26) // there is none
}

// make makes an upload as tusd's store is said to have it.
func (r *replay) make(u *tusdUpload) {
	header := map[string]string{"Tus-Resumable": "1.0.0"}
	switch {
	case u.final:
		header["Upload-Concat"] = r.joinable(u)
	case u.deferred:
		header["Upload-Defer-Length"] = "1"
	default:
		header["Upload-Length"] = strconv.FormatInt(max(u.size, u.offset+1), 10)
		if u.size == u.offset {
			header["Upload-Length"] = strconv.FormatInt(u.size, 10)
		}
	}
	if u.partial || u.id == "huge" { // tusd joins other uploads too
		header["Upload-Concat"] = "partial"
	}
	var metadata []string
	for name, value := range u.metadata {
		metadata = append(metadata, name+" "+base64.StdEncoding.EncodeToString([]byte(value)))
	}
	header["Upload-Metadata"] = strings.Join(metadata, ",")

	response := r.send(r.open, "/tus/", tusdRequest{method: http.MethodPost, header: header})
	require.Equal(r.t, http.StatusCreated, response.StatusCode)
	r.paths[u.id] = response.Header.Get("Location")
	if u.offset == 0 || u.final {
		return
	}
	response = r.send(r.open, r.paths[u.id], tusdRequest{method: http.MethodPatch, body: bytes.Repeat([]byte("x"), int(u.offset)), header: map[string]string{
		"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream",
	}})
	require.Equal(r.t, http.StatusNoContent, response.StatusCode)
}

// joinable makes the pieces of a final upload, and returns its header.
func (r *replay) joinable(u *tusdUpload) string {
	pieces := u.pieces
	if len(pieces) == 0 {
		pieces = []string{"a", "b"}
	}
	addresses := make([]string, len(pieces))
	for i, id := range pieces {
		each := u.size / int64(len(pieces))
		r.make(&tusdUpload{id: id, size: each, offset: each, partial: true})
		addresses[i] = "http://tus.io/files/" + id
	}
	return r.translated("final;" + strings.Join(addresses, " "))
}

// translated returns a text with the addresses of uploads in place of tusd's.
func (r *replay) translated(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		for id, path := range r.paths {
			if strings.HasSuffix(strings.TrimSuffix(word, "/"), "/files/"+id) {
				prefix := ""
				if strings.HasPrefix(word, "final;") {
					prefix = "final;"
				}
				words[i] = prefix + r.open + path
			}
		}
	}
	return strings.Join(words, " ")
}

func (r *replay) send(base, path string, q tusdRequest) *http.Response {
	var body io.Reader
	if q.unsized {
		body = io.MultiReader(bytes.NewReader(q.body))
	} else if q.body != nil {
		body = bytes.NewReader(q.body)
	}
	request, err := http.NewRequestWithContext(r.t.Context(), q.method, base+path, body)
	require.NoError(r.t, err)
	for name, value := range q.header {
		if value != "" {
			request.Header.Set(name, r.translated(value))
		}
	}
	response, err := replayClient.Do(request)
	require.NoError(r.t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(r.t, err)
	require.NoError(r.t, response.Body.Close())
	return response
}

// compare compares the headers. Resumable has more extensions than tusd, and its own addresses.
func (r *replay) compare(q tusdRequest, response *http.Response) {
	skip := map[string]bool{}
	for _, name := range r.differ.headers {
		skip[name] = true
	}
	for name, want := range q.want {
		have := response.Header.Get(name)
		switch {
		case skip[name]:
		case name == "Location":
			require.NotEmpty(r.t, have)
		case name == "Tus-Extension":
			require.Subset(r.t, strings.Split(have, ","), strings.Split(want, ","))
		default:
			require.Equal(r.t, r.translated(want), have, name)
		}
	}
}
