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

// AzureSASPolicy is an account whose SAS expiration policy refuses a signature that has no start, or
// that is valid for longer than limit, even in the source of a copy.
func AzureSASPolicy(limit time.Duration) Behavior {
	violation := azureRefusal("AuthenticationFailed", http.StatusForbidden,
		"Server failed to authenticate the request.", "microsoft/AzureStorageExplorer#8845")
	addDetail(&violation, "<AuthenticationErrorDetail>Policy violated by no signed start, or by a long term."+
		"</AuthenticationErrorDetail>")

	refuse := func(r *http.Request) *Answer {
		if violates(r.URL.Query(), limit) {
			return &violation
		}
		// The source of a copy is a URL, which may be signed, too.
		source, err := url.Parse(r.Header.Get("X-Ms-Copy-Source"))
		if err == nil && violates(source.Query(), limit) {
			return azureSourceDenied()
		}
		return nil
	}
	return Behavior{
		Name:       "a SAS expiration policy",
		Source:     azurePolicy,
		middleware: refuseRequests(refuse),
	}
}

// addDetail adds an XML element to the body of an error answer that is the same for every request.
func addDetail(a *Answer, element string) {
	body := a.Body(nil)
	a.Body = func([]byte) string {
		return strings.Replace(body, "</Error>", element+"</Error>", 1)
	}
}

// violates reports whether a query has a signature without a start, or one that is valid for longer
// than limit.
func violates(query url.Values, limit time.Duration) bool {
	if !query.Has("sig") {
		return false
	}
	start, err := time.Parse(time.RFC3339, query.Get("st"))
	if err != nil {
		return true
	}
	// Ignore the error, because the service itself refuses a malformed end.
	end, _ := time.Parse(time.RFC3339, query.Get("se"))
	return end.Sub(start) > limit
}

// AzurePrivate is an account with private endpoints, through which the service itself cannot read the
// source of a copy.
func AzurePrivate() Behavior {
	return Behavior{
		Name:   "private endpoints",
		Source: "Azure/azure-storage-python#720",
		middleware: refuseRequests(func(r *http.Request) *Answer {
			if r.Header.Get("X-Ms-Copy-Source") == "" {
				return nil
			}
			return azureSourceDenied()
		}),
	}
}

// azureSourceDenied returns the answer to a copy whose source the service may not read.
func azureSourceDenied() *Answer {
	a := azureRefusal("CannotVerifyCopySource", http.StatusForbidden, "Forbidden", "Azure/azure-storage-python#720")
	return &a
}

// AzureContributor is an account whose user has the role Storage Blob Data Contributor, which can
// neither read nor write tags.
func AzureContributor() Behavior {
	denied := azureRefusal(
		"AuthorizationPermissionMismatch", http.StatusForbidden,
		"This request is not authorized to perform this operation using this permission.",
		"microsoft/AzureStorageExplorer#6709",
	)
	return Behavior{
		Name:   "a role that may not read tags",
		Source: azureTagging,
		middleware: refuseRequests(func(r *http.Request) *Answer {
			if r.URL.Query().Get("comp") != "tags" && r.Header.Get("X-Ms-Tags") == "" {
				return nil
			}
			return &denied
		}),
	}
}

// AzureDefender is an account that Microsoft Defender for Storage scans. It calls tag after each
// upload, which must add the scanner's tags to the blob (AzureVerdict).
func AzureDefender(tag func(container, key string)) Behavior {
	scan := func(r *http.Request) {
		if azureWrites(r) {
			tag(azureBlob(r))
		}
	}
	return Behavior{
		Name:       "Defender for Storage",
		Source:     azureScanning,
		middleware: watchRequests(scan),
	}
}

// AzureVerdict has the tags that Defender adds to a blob without malware.
var AzureVerdict = map[string]string{
	"Malware Scanning scan result": "No threats found", "Malware Scanning scan time UTC": "2026-11-22 12:00:00Z",
}

// AzureArchive is an account that refuses to overwrite archived blobs, which emulators permit.
func AzureArchive() Behavior {
	return Behavior{
		Name:   "archived blobs",
		Source: azureArchive,
		middleware: func(next http.Handler) http.Handler {
			account := &archivingAccount{}
			next = watchRequests(account.recordTier)(next)
			return refuseRequests(account.refuse)(next)
		},
	}
}

// An archivingAccount remembers which blobs are archived.
type archivingAccount struct {
	archived sync.Map // paths
}

// recordTier records whether a request that succeeded has archived a blob, or made it readable again.
func (a *archivingAccount) recordTier(r *http.Request) {
	setsTier := azureWrites(r) || r.URL.Query().Get("comp") == "tier"
	if setsTier && r.Header.Get("X-Ms-Access-Tier") == "Archive" {
		a.archived.Store(r.URL.Path, true)
		return
	}
	if setsTier || r.Method == http.MethodDelete {
		a.archived.Delete(r.URL.Path)
	}
}

// refuse returns the refusal of a write of an archived blob, or nil for any other request.
func (a *archivingAccount) refuse(r *http.Request) *Answer {
	_, isArchived := a.archived.Load(r.URL.Path)
	if !isArchived || !azureWrites(r) {
		return nil
	}
	answer := azureRefusal(
		"BlobArchived", http.StatusConflict, "This operation is not permitted on an archived blob.",
		"rclone/rclone#3982",
	)
	return &answer
}

// AzureOlder is an older service, such as Azure Stack Hub, that knows the API only up to a version. It
// refuses requests with a later version, and requests that exist only in later ones.
func AzureOlder(version string) Behavior {
	invalidHeader := azureRefusal(
		"InvalidHeaderValue", http.StatusBadRequest,
		"The value for one of the HTTP headers is not in the correct format.",
		azureVersions,
	)
	addDetail(&invalidHeader, "<HeaderName>x-ms-version</HeaderName>")
	invalidParameter := azureRefusal(
		"InvalidQueryParameterValue", http.StatusBadRequest,
		"Value for one of the query parameters specified in the request URI is invalid.",
		azureVersions,
	)
	unknownHeader := azureRefusal(
		"UnsupportedHeader", http.StatusBadRequest,
		"One of the HTTP headers specified in the request is not supported.",
		azureVersions,
	)

	// Versions are dates, so they compare as text. Tags and versions of blobs came with this one.
	hasTags := version >= "2019-12-12"
	refuse := func(r *http.Request) *Answer {
		query := r.URL.Query()
		switch {
		case r.Header.Get("X-Ms-Version") > version:
			return &invalidHeader
		case query.Get("sv") > version: // the version in a shared access signature
			return &invalidParameter
		case !hasTags && needsVersions(query):
			return &invalidParameter
		case !hasTags && r.Header.Get("X-Ms-Tags") != "":
			// This is stricter than Azure, which ignores an unknown header.
			return &unknownHeader
		default:
			return nil
		}
	}
	return Behavior{
		Name:       "an older service version",
		Source:     azureVersions,
		middleware: refuseRequests(refuse),
	}
}

// needsVersions reports whether a query has a parameter for tags or for versions of blobs.
func needsVersions(query url.Values) bool {
	return query.Get("comp") == "tags" || query.Has("versionid") || strings.Contains(query.Get("include"), "versions")
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
	if key == "" || r.Method != http.MethodPut {
		return false
	}
	comp := r.URL.Query().Get("comp")
	return comp == "" || comp == "blocklist"
}
