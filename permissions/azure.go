package permissions

import (
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

// azureActions is the beginning of each action's full name. The table of permissions leaves it out.
const azureActions = "Microsoft.Storage/storageAccounts/blobServices/"

// An azureRole is a custom role, in the form that "az role definition create --role-definition"
// accepts.
//
// https://learn.microsoft.com/azure/role-based-access-control/role-definitions
type azureRole struct {
	Name             string
	IsCustom         bool
	Actions          []string
	DataActions      []string
	AssignableScopes []string
}

// azureAccountPath is the scope of a role assignment for a whole account.
const azureAccountPath = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Storage/storageAccounts/ACCOUNT"

// azureDocuments returns a role for the container. If an operation needs permissions on the
// account, azureDocuments also returns a role for the account. The two roles are separate, because
// a role that is assigned on the account applies to all containers.
func (g Grant) azureDocuments() ([]Document, error) {
	if err := g.refuseAccountKey(Azure); err != nil {
		return nil, err
	}
	var all []Document
	container := azureAccountPath + "/blobServices/default/containers/" + g.Bucket
	ofContainer := g.azureRole("omnibucket", func(o Operation) bool { return !isOfAccount(o) })
	if ofContainer != nil {
		all = append(all, ofContainer.document(container))
	}
	if ofContainer != nil && g.Prefix != "" {
		condition, err := g.azureCondition(ofContainer.DataActions)
		if err != nil {
			return nil, err
		}
		all = append(all, Document{
			"condition", "for az role assignment create --condition-version 2.0 --condition", condition,
		})
	}
	if ofAccount := g.azureRole("omnibucketAccount", isOfAccount); ofAccount != nil {
		all = append(all, ofAccount.document(azureAccountPath))
	}
	return all, nil
}

// azureRole returns the role for the operations that the given function selects. If they need no
// permission, it returns nil.
func (g Grant) azureRole(name string, filter func(Operation) bool) *azureRole {
	needs := g.all(Azure, filter)
	if len(needs) == 0 {
		return nil
	}
	role := azureRole{name, true, []string{}, []string{}, []string{"/subscriptions/SUBSCRIPTION"}}
	for _, action := range needs {
		if strings.HasPrefix(action, "containers/blobs/") {
			role.DataActions = append(role.DataActions, azureActions+action)
		} else {
			role.Actions = append(role.Actions, azureActions+action)
		}
	}
	return &role
}

func (r *azureRole) document(scope string) Document {
	return Document{"role", "for az role definition create --role-definition, to be assigned for " + scope, document(r)}
}

// isOfAccount reports whether the operation needs a permission on the account. This is so for
// operations on buckets, except delete-bucket, and for signing, which needs a key of the account.
func isOfAccount(o Operation) bool {
	return o.Section() == bucketSection && o != "delete-bucket" || o == "sign"
}

// refuseAccountKey fails if the grant has operations for which only the account's key is
// sufficient.
func (g Grant) refuseAccountKey(p Provider) error {
	operations := slices.DeleteFunc(slices.Clone(g.Operations), func(o Operation) bool {
		needs, _ := o.Needs(p)
		return !slices.Contains(needs, accountKey)
	})
	if len(operations) > 0 {
		return unsupportedError(p, "permits these operations only with the key of the account", operations...)
	}
	return nil
}

// azureCondition returns the condition that limits data actions to the grant's prefix. A listing is
// only allowed with a prefix that begins with the grant's prefix.
//
// https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-examples
// https://learn.microsoft.com/azure/role-based-access-control/conditions-format
func (g Grant) azureCondition(dataActions []string) (string, error) {
	if strings.ContainsAny(g.Prefix, `'"\`) || strings.HasPrefix(g.Prefix, "/") {
		return "", argument.Invalid("prefix",
			`must not begin with "/" or contain quotes or backslashes, for which Azure documents no escape`, "",
		)
	}

	const read = azureActions + "containers/blobs/read"
	inContainer := "@Resource[" + azureActions + "containers:name] StringEquals '" + g.Bucket + "'"
	clause := func(others []string, attribute string) string {
		return "(\n (\n  " + strings.Join(others, "\n  AND\n  ") + "\n )\n OR\n (\n  " + inContainer + "\n  AND\n  " +
			attribute + "] StringStartsWith '" + g.Prefix + "'\n )\n)"
	}

	var others []string
	for _, action := range dataActions {
		sub := ""
		if action == read {
			sub = " AND NOT SubOperationMatches{'Blob.List'}"
		}
		others = append(others, "!(ActionMatches{'"+action+"'}"+sub+")")
	}

	condition := clause(others, "@Resource["+azureActions+"containers/blobs:path")
	if slices.Contains(dataActions, read) {
		list := []string{"!(ActionMatches{'" + read + "'} AND SubOperationMatches{'Blob.List'})"}
		condition += "\nAND\n" + clause(list, "@Request["+azureActions+"containers/blobs:prefix")
	}
	return condition, nil
}

// azureSignature returns the parameters of a shared access signature:
//   - If an operation is about the container itself, the signature is for the account.
//   - For other operations without a prefix, the signature is for the container.
//   - For other operations with a prefix, the signature is for a directory.
//
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas
// https://learn.microsoft.com/rest/api/storageservices/create-account-sas
func (g Grant) azureSignature() ([]Document, error) {
	if err := g.refuseAccountKey(AzureSAS); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(g.Operations, func(o Operation) bool { return o.Section() == bucketSection }) {
		return g.accountSignature(), nil
	}

	// Leave out letters in the form "r(c)", which only a signature of an account can have.
	// Operations on objects also work without them.
	letters := slices.DeleteFunc(g.all(AzureSAS, each), func(l string) bool { return strings.Contains(l, "(") })
	permitted := "sp=" + strings.Join(letters, "")

	if g.Prefix == "" {
		return []Document{{
			"parameters", "of a shared access signature of the container " + g.Bucket, "sr=c&" + permitted,
		}}, nil
	}

	if strings.HasPrefix(g.Prefix, "/") || !strings.HasSuffix(g.Prefix, "/") || strings.Contains(g.Prefix, "//") {
		return nil, argument.Invalid("prefix",
			`must be a directory that ends in "/": a shared access signature has no other prefix`, "")
	}
	depth := strconv.Itoa(strings.Count(g.Prefix, "/"))
	return []Document{{
		"parameters",
		"of a shared access signature of the directory " + strings.TrimSuffix(g.Prefix, "/") + " of the container " +
			g.Bucket + ", in an account with a hierarchical namespace",
		"sr=d&sdd=" + depth + "&" + permitted,
	}}, nil
}

// accountSignature returns the parameters of a shared access signature of the account. Such a
// signature is valid for all containers.
func (g Grant) accountSignature() []Document {
	types := map[string]bool{}
	letters := []string{}
	for _, need := range g.all(AzureSAS, each) {
		letter, resource, _ := strings.Cut(strings.TrimSuffix(need, ")"), "(")
		if resource == "" {
			resource = "o"
			if letter == "l" {
				// Listing blobs is an operation on the container.
				resource = "c"
			}
		}
		types[resource] = true
		letters = append(letters, letter)
	}
	resources := ""
	for _, resource := range []string{"s", "c", "o"} {
		if types[resource] {
			resources += resource
		}
	}
	return []Document{{
		"parameters", "of a shared access signature of the account, which holds for all containers",
		"ss=b&srt=" + resources + "&sp=" + strings.Join(orderedLetters(letters), ""),
	}}
}
