package documented

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

const azureFolders = "https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues"

// AzureHierarchical is an account with a hierarchical namespace (Data Lake). Each key has
// directories above it. Listings show them beside blobs, a blob cannot replace them, and only empty
// directories can be removed. Such an account has no tags.
func AzureHierarchical() Peculiarity {
	return Peculiarity{
		Name:   "a hierarchical namespace",
		Source: azureFolders,
		wrap: func(next http.Handler) http.Handler {
			return &hierarchicalAccount{next: next, directories: map[string]map[string]bool{}}
		},
	}
}

type hierarchicalAccount struct {
	next http.Handler

	mu          sync.Mutex
	directories map[string]map[string]bool // names of directories, by container
}

func (a *hierarchicalAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	container, key := azureBlob(r)
	query := r.URL.Query()
	if refusal := a.refusalFor(r, container, key); refusal != nil {
		refusal.send(w, r)
		return
	}
	if key == "" && query.Get("comp") == "list" && r.Method == http.MethodGet {
		a.list(w, r, container)
		return
	}
	response := httptest.NewRecorder()
	a.next.ServeHTTP(response, r)
	if azureWrites(r) && response.Code < http.StatusMultipleChoices {
		a.add(container, key)
	}
	relay(w, response)
}

func (a *hierarchicalAccount) refusalFor(r *http.Request, container, key string) *Answer {
	a.mu.Lock()
	directories := a.directories[container]
	isDirectory := directories[key]
	a.mu.Unlock()
	var answer Answer
	switch {
	case r.URL.Query().Get("comp") == "tags" || r.Header.Get("X-Ms-Tags") != "":
		answer = azureRefusal(
			"InvalidQueryParameterValue", http.StatusBadRequest,
			"Value for one of the query parameters specified in the request URI is invalid.",
			"Azure/azure-sdk-for-net#39388",
		)
		answer.Body = func([]byte) string {
			return strings.Replace(
				azureBody(
					"InvalidQueryParameterValue",
					"Value for one of the query parameters specified in the request URI is invalid.",
				),
				"</Error>",
				"<QueryParameterName>comp</QueryParameterName><QueryParameterValue>tags</QueryParameterValue></Error>",
				1,
			)
		}
	case isDirectory && azureWrites(r):
		answer = azureRefusal(
			"ResourceTypeMismatch", http.StatusConflict,
			"The specified resource type does not match the type of the existing resource.", azureErrors,
		)
	case isDirectory && r.Method == http.MethodDelete: // no directory of this account is empty, so none can be removed
		answer = azureRefusal(
			"DirectoryIsNotEmpty", http.StatusConflict, "This operation is not permitted on a non-empty directory.",
			"Azure/azure-cli#20884",
		)
	case isDirectory && r.Method == http.MethodHead || isDirectory && r.Method == http.MethodGet:
		// This response is in a recording of Azure/azure-sdk-for-js for its package storage-file-datalake.
		answer = Answer{Status: http.StatusOK, Header: map[string]string{
			"X-Ms-Request-Id": "R1", "X-Ms-Resource-Type": "directory", "X-Ms-Meta-Hdi_isfolder": "true", "X-Ms-Blob-Type": "BlockBlob",
			"Content-Length": "0", "Content-Type": "application/octet-stream", "ETag": `"0x8DA4175A341E8EA"`, "Last-Modified": "Sun, 29 May 2022 13:17:53 GMT",
		}}
	default:
		return nil
	}
	return &answer
}

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

// list adds the directories to the first page of a listing. A directory is listed as an empty blob,
// before the blobs in it. https://github.com/drivendataorg/cloudpathlib/issues/161
func (a *hierarchicalAccount) list(w http.ResponseWriter, r *http.Request, container string) {
	query := r.URL.Query()
	response := httptest.NewRecorder()
	a.next.ServeHTTP(response, r)
	page := response.Body.String()
	start, end, ok := strings.Cut(page, "<Blobs>")
	if response.Code == http.StatusOK && ok && !query.Has("marker") {
		a.mu.Lock()
		for directory := range a.directories[container] {
			if !strings.HasPrefix(directory, query.Get("prefix")) || query.Has("delimiter") {
				continue
			}
			entry := fmt.Sprintf(
				`<Blob><Name>%s</Name><Properties><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>`+
					`<ResourceType>directory</ResourceType></Properties><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>`,
				html.EscapeString(directory),
			)
			end = insertBefore(end, directory, entry)
		}
		a.mu.Unlock()
		response.Body.Reset()
		response.Body.WriteString(start + "<Blobs>" + end)
		response.Header().Del("Content-Length")
	}
	relay(w, response)
}

// insertBefore inserts an entry into an XML listing. The new entry comes before the first entry
// with a greater name, or otherwise at the end.
func insertBefore(list, name, entry string) string {
	items := azureItems.FindAllStringSubmatchIndex(list, -1)
	i := slices.IndexFunc(items, func(item []int) bool { return html.UnescapeString(list[item[2]:item[3]]) > name })
	if i < 0 {
		return strings.Replace(list, "</Blobs>", entry+"</Blobs>", 1)
	}
	return list[:items[i][0]] + entry + list[items[i][0]:]
}

// AzurePremium is an account for premium block blobs, which has no access tiers.
func AzurePremium() Peculiarity {
	answer := azureRefusal(
		"BlobAccessTierNotSupportedForAccountType", http.StatusBadRequest,
		"The access tier is not supported for this account type.", "Azure/azure-sdk-for-net#38465",
	)
	return Peculiarity{
		Name:   "premium block blobs",
		Source: "https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview",
		wrap: refuseRequests(func(r *http.Request) *Answer {
			if r.Header.Get("X-Ms-Access-Tier") == "" {
				return nil
			}
			return &answer
		}),
	}
}
