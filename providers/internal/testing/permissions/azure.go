package permissions

import (
	"fmt"
	"slices"
	"strings"
)

// An azureRule names the permission that a request needs. For a role, action is the permission,
// without the prefix Microsoft.Storage/storageAccounts/blobServices/. For a shared access
// signature, letter is the permission. If the letter is followed by (s) or (c), only a signature of
// an account can have it. (s) stands for services, and (c) for containers.
type azureRule struct{ action, letter string }

// accountKey means that a request needs the account's key, because no role and no shared access
// signature permits it.
const accountKey = "account-key"

// azureRules maps the method and the parameters restype and comp of a request to its rule.
//
// https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory#permissions-for-blob-service-operations
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas
// https://learn.microsoft.com/rest/api/storageservices/create-account-sas#account-sas-permissions-by-operation
var azureRules = map[string]azureRule{
	"GET list":                       {"containers/read", "l(s)"},
	"GET service properties":         {"read", "r(s)"},
	"PUT service properties":         {"write", "w(s)"},
	"POST service userdelegationkey": {"generateUserDelegationKey/action", ""},

	"GET container":        {"containers/read", "r(c)"},
	"HEAD container":       {"containers/read", "r(c)"},
	"PUT container":        {"containers/write", "c(c)"},
	"DELETE container":     {"containers/delete", "d(c)"},
	"GET container acl":    {accountKey, accountKey},
	"PUT container acl":    {accountKey, accountKey},
	"GET container list":   {"containers/blobs/read", "l"},
	"POST container batch": {"containers/write", ""},

	"GET":                         {"containers/blobs/read", "r"},
	"HEAD":                        {"containers/blobs/read", "r"},
	"PUT":                         {"containers/blobs/write", "w"},
	"DELETE":                      {"containers/blobs/delete", "d"},
	"PUT block":                   {"containers/blobs/write", "w"},
	"PUT blocklist":               {"containers/blobs/write", "w"},
	"GET blocklist":               {"containers/blobs/read", "r"},
	"PUT metadata":                {"containers/blobs/write", "w"},
	"GET tags":                    {"containers/blobs/tags/read", "t"},
	"PUT tags":                    {"containers/blobs/tags/write", "t"},
	"PUT tier":                    {"containers/blobs/write", "w"},
	"PUT immutabilityPolicies":    {"containers/write", "i"},
	"DELETE immutabilityPolicies": {"containers/write", "i"},
	"PUT legalhold":               {"containers/write", "i"},
}

// An azureAccount returns the permissions that requests need: letters of shared access signatures if
// wantsLetters is true, and otherwise actions of roles.
type azureAccount struct{ wantsLetters bool }

func newAzureRole() classifier      { return azureAccount{} }
func newAzureSignature() classifier { return azureAccount{wantsLetters: true} }

// needs returns the permissions that a request needs. It fails if these are letters of a shared
// access signature and no such signature permits the request.
func (a azureAccount) needs(x *Exchange) ([]string, error) {
	rules, err := azureRulesOf(x)
	if err != nil {
		return nil, err
	}

	var needs []string
	for _, rule := range rules {
		permission := rule.action
		if a.wantsLetters {
			permission = rule.letter
		}
		if permission == "" {
			// Every rule has an action, so only the letter is missing.
			return nil, fmt.Errorf("no shared access signature permits %s %s?%s", x.Method, x.Path, x.Query.Encode())
		}
		needs = append(needs, permission)
	}
	return needs, nil
}

// azureRulesOf returns the rules for a request: that of its operation, and further ones for headers,
// parameters and the body.
func azureRulesOf(x *Exchange) ([]azureRule, error) {
	// A request for a blob has no restype. A request for the blob or the container itself has no comp.
	parts := []string{x.Method, x.Query.Get("restype"), x.Query.Get("comp")}
	name := strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
	rule, ok := azureRules[name]
	if !ok {
		return nil, fmt.Errorf("the table of Azure has no %q", name)
	}

	rules := []azureRule{rule}
	switch name {
	case "DELETE": // https://learn.microsoft.com/azure/storage/blobs/versioning-overview#authorize-operations-on-blob-versions
		if x.Query.Has("versionid") {
			// Removing a version needs this permission in place of that to remove the blob.
			return []azureRule{azureRemovesVersion}, nil
		}
	case "POST container batch":
		// The batch consists of removals.
		if strings.Contains(x.Body, "versionid=") {
			return append(rules, azureRemovesVersion), nil
		}
		return append(rules, azureRule{"containers/blobs/delete", "d"}), nil
	case "GET container list": // https://learn.microsoft.com/rest/api/storageservices/list-blobs
		if strings.Contains(x.Query.Get("include"), "tags") {
			rules = append(rules, azureReadsTags)
		}
	case "PUT", "PUT block", "PUT blocklist":
		return append(rules, azureWriteRules(x)...), nil
	}
	return rules, nil
}

// Rules that are added to that of an operation.
var (
	azureReadsTags      = azureRule{"containers/blobs/tags/read", "t"}
	azureWritesTags     = azureRule{"containers/blobs/tags/write", "t"}
	azureRemovesVersion = azureRule{"containers/blobs/deleteBlobVersion/action", "x"}
)

// azureWriteRules returns the rules for the permissions that a write needs in addition because of its
// headers.
func azureWriteRules(x *Exchange) []azureRule {
	var rules []azureRule
	if x.hasHeader("X-Ms-Tags") { // https://learn.microsoft.com/rest/api/storageservices/put-blob
		rules = append(rules, azureWritesTags)
	}
	if x.hasHeader("X-Ms-Copy-Source") {
		rules = append(rules, azureRule{"containers/blobs/read", "r"})
	}
	if strings.EqualFold(x.Header.Get("X-Ms-Copy-Source-Tag-Option"), "COPY") {
		rules = append(rules, azureReadsTags, azureWritesTags)
	}
	if x.hasHeader("X-Ms-Immutability-Policy-Mode", "X-Ms-Legal-Hold") {
		rules = append(rules, azureRule{"containers/write", "i"})
	}
	return rules
}
