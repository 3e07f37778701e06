package filesapi_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/omnibucket/storage/uploads"
	filesclient "github.com/omnibucket/storage/uploads/client"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// A description has the parts of OpenAPI that these tests read.
type description struct {
	OpenAPI    string                          `yaml:"openapi"`
	Paths      map[string]map[string]yaml.Node `yaml:"paths"`
	Components struct {
		Schemas map[string]struct {
			Required   []string             `yaml:"required"`
			Properties map[string]yaml.Node `yaml:"properties"`
		} `yaml:"schemas"`
	} `yaml:"components"`
}

// readDescription returns the parsed OpenAPI document of the API.
func readDescription(t *testing.T) description {
	t.Helper()
	var d description
	require.NoError(t, yaml.Unmarshal(filesapi.OpenAPI, &d))
	require.Equal(t, "3.1.0", d.OpenAPI)
	return d
}

// operations returns the operations of the description, written like "GET /files/{id}".
func (d description) operations() []string {
	var all []string
	for path, item := range d.Paths {
		for method := range item {
			if method != "parameters" {
				all = append(all, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(all)
	return all
}

// The OpenAPI document has exactly the routes of the handler.
func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	routes := append(filesapi.Routes(f.store), "GET /openapi.yaml")
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		if method == "GET" && strings.HasSuffix(path, "/content") {
			// For a GET, net/http also serves HEAD.
			routes = append(routes, "HEAD "+path)
		}
	}
	require.ElementsMatch(t, readDescription(t).operations(), routes)
}

// In the OpenAPI document, the responses 304 and 412 of a download have no body.
func TestOpenAPIHasTheResponsesOfConditions(t *testing.T) {
	for path, item := range readDescription(t).Paths {
		if !strings.HasSuffix(path, "/content") {
			continue
		}
		for _, method := range []string{"get", "head"} {
			var operation struct{ Responses map[string]map[string]string }
			node := item[method]
			require.NoError(t, node.Decode(&operation))
			for _, status := range []int{http.StatusNotModified, http.StatusPreconditionFailed} {
				responses := operation.Responses[strconv.Itoa(status)]
				require.Equal(t, []string{"description"}, slices.Collect(maps.Keys(responses)), "%s %s: %d", method, path, status)
			}
		}
	}
}

// Every reference in the OpenAPI document leads to a part of it.
func TestOpenAPIReferencesResolve(t *testing.T) {
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal(filesapi.OpenAPI, &root))
	var document map[string]any
	require.NoError(t, root.Decode(&document))

	references := regexp.MustCompile(`"#/([^"]+)"`).FindAllSubmatch(filesapi.OpenAPI, -1)
	require.NotEmpty(t, references)
	for _, reference := range references {
		var node any = document
		for name := range strings.SplitSeq(string(reference[1]), "/") {
			mapping, ok := node.(map[string]any)
			require.True(t, ok, "%s", reference[0])
			node = mapping[name]
			require.NotNil(t, node, "%s", reference[0])
		}
	}
}

// The OpenAPI document names the codes with which rules refuse a file, and their statuses.
func TestOpenAPIHasTheCodesOfRules(t *testing.T) {
	codes := readDescription(t).Components.Schemas["Problem"].Properties["code"]
	var code struct{ Description string }
	require.NoError(t, codes.Decode(&code))
	names := regexp.MustCompile("[a-z_]+").FindAllString(code.Description, -1)

	refusals := []uploads.Code{
		uploads.Empty,
		uploads.TooSmall,
		uploads.TooLarge,
		uploads.OverAllowance,
		uploads.TypeNotAllowed,
		uploads.Damaged,
		uploads.ActiveContent,
		uploads.TooManyPixels,
	}
	for _, refusal := range refusals {
		require.Contains(t, names, string(refusal))
		require.Contains(t, string(filesapi.OpenAPI), strconv.Itoa((&uploads.Error{Code: refusal}).HTTPStatus()))
	}
}

// The OpenAPI document has the fields of a Record, and requires those that JSON never omits.
func TestOpenAPIHasTheFieldsOfARecord(t *testing.T) {
	schema := readDescription(t).Components.Schemas["Record"]
	var fields, required []string
	for field := range reflect.TypeFor[filesapi.Record]().Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields = append(fields, name)
		if options == "" {
			required = append(required, name)
		}
	}
	require.ElementsMatch(t, fields, slices.Collect(maps.Keys(schema.Properties)))
	require.ElementsMatch(t, required, schema.Required)
}

// The methods of the client use every operation that the OpenAPI document describes.
func TestOpenAPIOperationsInClient(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	handler, err := filesapi.Handler(f.store, filesapi.HandlerConfig{Authorize: authorizeByHeader})
	require.NoError(t, err)

	// The server notes each operation that the client uses.
	used := newUses(handler)
	server := httptest.NewServer(used)
	defer server.Close()
	client, err := filesclient.New(server.URL, &http.Client{Transport: userTransport{"user-1", server.Client().Transport}})
	require.NoError(t, err)

	// Use each method of the client.
	record, err := client.Upload(t.Context(), "a.txt", strings.NewReader("content"), "")
	require.NoError(t, err)
	temp, err := client.UploadTemp(t.Context(), "b.txt", strings.NewReader("content"))
	require.NoError(t, err)
	part := filesclient.Part{Token: "token-1234", Count: 1, Part: 1, OriginalFileName: "c.txt"}
	_, err = client.UploadPart(t.Context(), part, strings.NewReader("content"))
	require.NoError(t, err)
	_, err = client.UploadTempPart(t.Context(), part, strings.NewReader("content"))
	require.NoError(t, err)
	_, err = client.Details(t.Context(), record.ID)
	require.NoError(t, err)
	_, err = client.List(t.Context(), uploads.Filter{}, "", 0)
	require.NoError(t, err)
	_, err = client.SetPurpose(t.Context(), record.ID, "p")
	require.NoError(t, err)

	downloads := []func() (*filesclient.Content, error){
		func() (*filesclient.Content, error) { return client.Download(t.Context(), record.ID, "") },
		func() (*filesclient.Content, error) { return client.Head(t.Context(), record.ID) },
		func() (*filesclient.Content, error) { return client.DownloadTemp(t.Context(), temp.ID, "") },
		func() (*filesclient.Content, error) { return client.HeadTemp(t.Context(), temp.ID) },
	}
	for _, download := range downloads {
		content, err := download()
		require.NoError(t, err)
		require.NoError(t, content.Close())
	}

	_, err = client.DeleteMany(t.Context(), []string{record.ID})
	require.NoError(t, err)
	require.NoError(t, client.Delete(t.Context(), record.ID))

	// The client has used exactly the operations of the document.
	described, err := client.OpenAPI(t.Context())
	require.NoError(t, err)
	require.Equal(t, filesapi.OpenAPI, described)
	require.Equal(t, readDescription(t).operations(), used.all())
}

// uses are the operations that were requested.
type uses struct {
	next http.Handler

	mu    sync.Mutex
	asked map[string]bool
}

func newUses(next http.Handler) *uses { return &uses{next: next, asked: map[string]bool{}} }

var idInPath = regexp.MustCompile(`[0-9a-v]{36}`)

// ServeHTTP notes the operation of a request.
func (u *uses) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.asked[r.Method+" "+idInPath.ReplaceAllString(r.URL.Path, "{id}")] = true
	u.mu.Unlock()
	u.next.ServeHTTP(w, r)
}

func (u *uses) all() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Sorted(maps.Keys(u.asked))
}
