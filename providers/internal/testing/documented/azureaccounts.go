package documented

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	azureTagging  = "https://learn.microsoft.com/azure/storage/blobs/storage-manage-find-blobs#permissions-and-authorization"
	azureArchive  = "https://learn.microsoft.com/azure/storage/blobs/archive-blob"
	azurePolicy   = "https://learn.microsoft.com/azure/storage/common/sas-expiration-policy"
	azureVersions = "https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services"
	azureScanning = "https://learn.microsoft.com/azure/defender-for-cloud/introduction-malware-scanning"
)

// AzureSASPolicy is an account whose SAS expiration policy blocks requests. It refuses a signature
// that has no start, or that is valid for longer than limit. It checks the signature in the source
// of a copy, too.
func AzureSASPolicy(limit time.Duration) Peculiarity {
	violated := azureRefusal("AuthenticationFailed", http.StatusForbidden,
		"Server failed to authenticate the request.", "microsoft/AzureStorageExplorer#8845")
	violated.Body = func([]byte) string {
		return strings.Replace(
			azureBody("AuthenticationFailed", "Server failed to authenticate the request."), "</Error>",
			"<AuthenticationErrorDetail>Policy violated by no signed start, or by a long term.</AuthenticationErrorDetail></Error>",
			1,
		)
	}
	return Peculiarity{
		Name:   "a SAS expiration policy",
		Source: azurePolicy,
		wrap: refuseRequests(func(r *http.Request) *Answer {
			source, err := url.Parse(r.Header.Get("X-Ms-Copy-Source"))
			if violates(r.URL.Query(), limit) {
				return &violated
			}
			if err == nil && violates(source.Query(), limit) {
				return azureUnread()
			}
			return nil
		}),
	}
}

func violates(signature url.Values, limit time.Duration) bool {
	start, err := time.Parse(time.RFC3339, signature.Get("st"))
	end, _ := time.Parse(time.RFC3339, signature.Get("se"))
	return signature.Has("sig") && (err != nil || end.Sub(start) > limit)
}

// AzurePrivate is an account with private endpoints. The service itself cannot use these, so it
// cannot read the source of a copy.
func AzurePrivate() Peculiarity {
	return Peculiarity{
		Name:   "private endpoints",
		Source: "Azure/azure-storage-python#720",
		wrap: refuseRequests(func(r *http.Request) *Answer {
			if r.Header.Get("X-Ms-Copy-Source") == "" {
				return nil
			}
			return azureUnread()
		}),
	}
}

func azureUnread() *Answer {
	a := azureRefusal("CannotVerifyCopySource", http.StatusForbidden, "Forbidden", "Azure/azure-storage-python#720")
	return &a
}

// AzureContributor is an account whose user has the role Storage Blob Data Contributor. This role
// can neither read nor write tags.
func AzureContributor() Peculiarity {
	denied := azureRefusal(
		"AuthorizationPermissionMismatch", http.StatusForbidden,
		"This request is not authorized to perform this operation using this permission.",
		"microsoft/AzureStorageExplorer#6709",
	)
	return Peculiarity{
		Name:   "a role that may not read tags",
		Source: azureTagging,
		wrap: refuseRequests(func(r *http.Request) *Answer {
			if r.URL.Query().Get("comp") != "tags" && r.Header.Get("X-Ms-Tags") == "" {
				return nil
			}
			return &denied
		}),
	}
}

// AzureDefender is an account that Microsoft Defender for Storage scans. After each upload, the
// account calls the function tag. That function must add the scanner's tags to the blob
// (AzureVerdict).
func AzureDefender(tag func(container, key string)) Peculiarity {
	return Peculiarity{Name: "Defender for Storage", Source: azureScanning, wrap: watchRequests(func(r *http.Request) {
		container, key := azureBlob(r)
		if azureWrites(r) {
			tag(container, key)
		}
	})}
}

// AzureVerdict has the tags that Defender adds to a blob without malware.
var AzureVerdict = map[string]string{
	"Malware Scanning scan result": "No threats found", "Malware Scanning scan time UTC": "2026-11-22 12:00:00Z",
}

// AzureArchive is an account that refuses to overwrite archived blobs. Emulators do not refuse
// that.
func AzureArchive() Peculiarity {
	answer := azureRefusal(
		"BlobArchived", http.StatusConflict, "This operation is not permitted on an archived blob.",
		"rclone/rclone#3982",
	)
	var blobs sync.Map
	return Peculiarity{Name: "archived blobs", Source: azureArchive, wrap: func(next http.Handler) http.Handler {
		note := watchRequests(func(r *http.Request) {
			sets := azureWrites(r) || r.URL.Query().Get("comp") == "tier"
			if sets && r.Header.Get("X-Ms-Access-Tier") == "Archive" {
				blobs.Store(r.URL.Path, true)
			} else if sets || r.Method == http.MethodDelete {
				blobs.Delete(r.URL.Path)
			}
		})
		return refuseRequests(func(r *http.Request) *Answer {
			if _, ok := blobs.Load(r.URL.Path); ok && azureWrites(r) {
				return &answer
			}
			return nil
		})(note(next))
	}}
}

// AzureOlder is an older service, such as Azure Stack Hub. The parameter is the newest version of
// the API that the service knows. It refuses requests with a later version, and requests that exist
// only in later versions.
func AzureOlder(version string) Peculiarity {
	header := azureRefusal(
		"InvalidHeaderValue", http.StatusBadRequest,
		"The value for one of the HTTP headers is not in the correct format.",
		azureVersions,
	)
	header.Body = func([]byte) string {
		return strings.Replace(
			azureBody("InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."),
			"</Error>",
			"<HeaderName>x-ms-version</HeaderName></Error>", 1,
		)
	}
	parameter := azureRefusal(
		"InvalidQueryParameterValue", http.StatusBadRequest,
		"Value for one of the query parameters specified in the request URI is invalid.", azureVersions,
	)
	unknown := azureRefusal(
		"UnsupportedHeader", http.StatusBadRequest,
		"One of the HTTP headers specified in the request is not supported.",
		azureVersions,
	)
	return Peculiarity{
		Name:   "an older service version",
		Source: azureVersions,
		wrap: refuseRequests(func(r *http.Request) *Answer {
			query := r.URL.Query()
			if r.Header.Get("X-Ms-Version") > version {
				return &header
			}
			if query.Get("sv") > version ||
				version < "2019-12-12" && (query.Get("comp") == "tags" || query.Has("versionid") ||
					strings.Contains(query.Get("include"), "versions")) {
				return &parameter
			}
			if version < "2019-12-12" && r.Header.Get("X-Ms-Tags") != "" {
				return &unknown // stricter than Azure, which ignores an unknown header
			}
			return nil
		}),
	}
}

// azureBlob returns the container and the key of a request whose path begins with the account.
func azureBlob(r *http.Request) (container, key string) {
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	container, key, _ = strings.Cut(path, "/")
	return container, key
}

// azureWrites reports whether a request creates or replaces a blob.
func azureWrites(r *http.Request) bool {
	_, key := azureBlob(r)
	comp := r.URL.Query().Get("comp")
	return key != "" && r.Method == http.MethodPut && (comp == "" || comp == "blocklist")
}
