package documented

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

const azureFolders = "https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues"

// AzureHierarchical is an account with a hierarchical namespace (Data Lake) and without tags. The
// directories above each key are listed beside blobs, cannot be replaced by a blob, and can be removed
// only if they are empty.
func AzureHierarchical() Behavior {
	return Behavior{
		Name:   "a hierarchical namespace",
		Source: azureFolders,
		middleware: func(next http.Handler) http.Handler {
			return &hierarchicalAccount{next: next, directories: map[string]map[string]bool{}}
		},
	}
}

// A hierarchicalAccount is a handler with the directories of an account. No directory is empty.
type hierarchicalAccount struct {
	next http.Handler

	mu          sync.Mutex
	directories map[string]map[string]bool // names of directories, by container
}

// ServeHTTP sends the account's own answer to a request, if there is one, or passes the request on to
// the emulator. From the keys of successful writes, it learns which directories exist.
func (a *hierarchicalAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	container, key := azureBlob(r)
	if answer := a.answer(r, container, key); answer != nil {
		answer.send(w, r)
		return
	}
	isListing := key == "" && r.URL.Query().Get("comp") == "list" && r.Method == http.MethodGet
	if isListing {
		a.serveList(w, r, container)
		return
	}

	resp := httptest.NewRecorder()
	a.next.ServeHTTP(resp, r)
	if azureWrites(r) && resp.Code < http.StatusMultipleChoices {
		a.add(container, key)
	}
	relay(w, resp)
}

// answer returns the account's own answer to a request, a refusal or the attributes of a directory, or
// nil if the emulator must serve the request.
func (a *hierarchicalAccount) answer(r *http.Request, container, key string) *Answer {
	usesTags := r.URL.Query().Get("comp") == "tags" || r.Header.Get("X-Ms-Tags") != ""
	if usesTags {
		answer := azureRefusal(
			"InvalidQueryParameterValue", http.StatusBadRequest,
			"Value for one of the query parameters specified in the request URI is invalid.",
			"Azure/azure-sdk-for-net#39388",
		)
		addDetail(&answer, "<QueryParameterName>comp</QueryParameterName><QueryParameterValue>tags</QueryParameterValue>")
		return &answer
	}
	if !a.isDirectory(container, key) {
		return nil
	}
	return directoryAnswer(r)
}

// directoryAnswer returns the answer to a request for the key of a directory, which is no blob, or nil if
// the emulator must serve the request.
func directoryAnswer(r *http.Request) *Answer {
	if azureWrites(r) {
		answer := azureRefusal(
			"ResourceTypeMismatch", http.StatusConflict,
			"The specified resource type does not match the type of the existing resource.", azureErrors,
		)
		return &answer
	}
	switch r.Method {
	case http.MethodDelete:
		// No directory of this account is empty, so none can be removed.
		answer := azureRefusal(
			"DirectoryIsNotEmpty", http.StatusConflict, "This operation is not permitted on a non-empty directory.",
			"Azure/azure-cli#20884",
		)
		return &answer
	case http.MethodHead, http.MethodGet:
		// This response is in a recording of Azure/azure-sdk-for-js for its package storage-file-datalake.
		return &Answer{
			Status: http.StatusOK,
			Header: map[string]string{
				"X-Ms-Request-Id":        "R1",
				"X-Ms-Resource-Type":     "directory",
				"X-Ms-Meta-Hdi_isfolder": "true",
				"X-Ms-Blob-Type":         "BlockBlob",
				"Content-Length":         "0",
				"Content-Type":           "application/octet-stream",
				"ETag":                   `"0x8DA4175A341E8EA"`,
				"Last-Modified":          "Sun, 29 May 2022 13:17:53 GMT",
			},
		}
	default:
		return nil
	}
}

// isDirectory reports whether key is the name of a directory.
func (a *hierarchicalAccount) isDirectory(container, key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.directories[container][key]
}

// add records that the directories above a key exist.
func (a *hierarchicalAccount) add(container, key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.directories[container] == nil {
		a.directories[container] = map[string]bool{}
	}
	for i := range key {
		if key[i] == '/' {
			a.directories[container][key[:i]] = true
		}
	}
}

// serveList answers a request for a listing. An account with a hierarchical namespace lists each directory as
// an empty blob before the blobs in it, so list adds these to the page of the next handler.
// See https://github.com/drivendataorg/cloudpathlib/issues/161.
func (a *hierarchicalAccount) serveList(w http.ResponseWriter, r *http.Request, container string) {
	query := r.URL.Query()
	resp := httptest.NewRecorder()
	a.next.ServeHTTP(resp, r)
	head, entries, isPage := strings.Cut(resp.Body.String(), "<Blobs>")
	// Only the first page gets the directories. With a delimiter, they are prefixes.
	lacksDirectories := query.Has("marker") || query.Has("delimiter")
	if !isPage || resp.Code != http.StatusOK || lacksDirectories {
		relay(w, resp)
		return
	}

	entries = a.addDirectories(entries, container, query.Get("prefix"))
	resp.Body.Reset()
	resp.Body.WriteString(head + "<Blobs>" + entries)
	resp.Header().Del("Content-Length")
	relay(w, resp)
}

// addDirectories adds the directories with a prefix to the XML entries of a listing.
func (a *hierarchicalAccount) addDirectories(entries, container, prefix string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for directory := range a.directories[container] {
		if !strings.HasPrefix(directory, prefix) {
			continue
		}
		entry := fmt.Sprintf(
			`<Blob><Name>%s</Name><Properties><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>`+
				`<ResourceType>directory</ResourceType></Properties><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>`,
			html.EscapeString(directory),
		)
		entries = insertBefore(entries, directory, entry)
	}
	return entries
}

// insertBefore inserts an entry into an XML listing, before the first entry with a greater name or at
// the end.
func insertBefore(list, name, entry string) string {
	for _, item := range azureItems.FindAllStringSubmatchIndex(list, -1) {
		// The indexes are those of the whole item, and of its first group, which is the name.
		itemStart, nameStart, nameEnd := item[0], item[2], item[3]
		if html.UnescapeString(list[nameStart:nameEnd]) > name {
			return list[:itemStart] + entry + list[itemStart:]
		}
	}
	return strings.Replace(list, "</Blobs>", entry+"</Blobs>", 1)
}

// AzurePremium is an account for premium block blobs, which has no access tiers.
func AzurePremium() Behavior {
	answer := azureRefusal(
		"BlobAccessTierNotSupportedForAccountType", http.StatusBadRequest,
		"The access tier is not supported for this account type.", "Azure/azure-sdk-for-net#38465",
	)
	return Behavior{
		Name:   "premium block blobs",
		Source: "https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview",
		middleware: refuseRequests(func(r *http.Request) *Answer {
			if r.Header.Get("X-Ms-Access-Tier") == "" {
				return nil
			}
			return &answer
		}),
	}
}
