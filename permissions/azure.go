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

// azureDocuments returns a role for the container, and one for the account if an operation needs
// permissions on the account. They are separate, because a role on the account applies to all
// containers.
func (g Grant) azureDocuments() ([]Document, error) {
	if err := g.refuseAccountKey(Azure); err != nil {
		return nil, err
	}

	// The first role is for the container. A prefix limits it by a condition on its assignment.
	var documents []Document
	containerRole := g.azureRole("omnibucket", func(o Operation) bool { return !isOfAccount(o) })
	if containerRole != nil {
		scope := azureAccountPath + "/blobServices/default/containers/" + g.Bucket
		documents = append(documents, containerRole.document(scope))
		if g.Prefix != "" {
			condition, err := g.azureCondition(containerRole.DataActions)
			if err != nil {
				return nil, err
			}
			documents = append(documents, Document{
				Name: "condition",
				Use:  "for az role assignment create --condition-version 2.0 --condition",
				Text: condition,
			})
		}
	}

	// The second role is for the account.
	accountRole := g.azureRole("omnibucketAccount", isOfAccount)
	if accountRole != nil {
		documents = append(documents, accountRole.document(azureAccountPath))
	}
	return documents, nil
}

// azureRole returns the role for the operations that filter selects, or nil if they need no
// permission.
func (g Grant) azureRole(name string, filter func(Operation) bool) *azureRole {
	actions := g.permissions(Azure, filter)
	if len(actions) == 0 {
		return nil
	}

	// Empty slices become [] in the document. Nil slices would become null.
	role := &azureRole{
		Name:             name,
		IsCustom:         true,
		Actions:          []string{},
		DataActions:      []string{},
		AssignableScopes: []string{"/subscriptions/SUBSCRIPTION"},
	}
	for _, action := range actions {
		if strings.HasPrefix(action, "containers/blobs/") {
			role.DataActions = append(role.DataActions, azureActions+action)
		} else {
			role.Actions = append(role.Actions, azureActions+action)
		}
	}
	return role
}

// document returns the role as a document. scope is the resource for which the role is assigned.
func (r *azureRole) document(scope string) Document {
	return Document{
		Name: "role",
		Use:  "for az role definition create --role-definition, to be assigned for " + scope,
		Text: encodeJSON(r),
	}
}

// isOfAccount reports whether the operation needs a permission on the account, as operations on
// buckets do, except delete-bucket. So does signing, which needs a key of the account.
func isOfAccount(o Operation) bool {
	if o.Section() == bucketSection {
		return o != "delete-bucket"
	}
	return o == "sign"
}

// refuseAccountKey fails with Unsupported if the grant has operations that need the key of the account,
// which no role and no signature replaces. The error names the operations.
func (g Grant) refuseAccountKey(p Provider) error {
	var refused []Operation
	for _, o := range g.Operations {
		// This cannot fail, because Grant.check has called Needs, too.
		needs, _ := o.Needs(p)
		if slices.Contains(needs, accountKey) {
			refused = append(refused, o)
		}
	}
	if len(refused) > 0 {
		return unsupportedError(p, "permits these operations only with the key of the account", refused...)
	}
	return nil
}

// azureCondition returns the condition that limits data actions to the grant's prefix, and listings
// to prefixes that begin with it.
//
// https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-examples
// https://learn.microsoft.com/azure/role-based-access-control/conditions-format
func (g Grant) azureCondition(dataActions []string) (string, error) {
	if strings.ContainsAny(g.Prefix, `'"\`) || strings.HasPrefix(g.Prefix, "/") {
		return "", argument.Invalid("prefix",
			`must not begin with "/" or contain quotes or backslashes, for which Azure documents no escape`, "",
		)
	}

	// A listing is a read with the suboperation Blob.List.
	const read = azureActions + "containers/blobs/read"

	// The first clause limits the path of each data action, except that of a listing, which is the container.
	// A request is exempt if it is of none of the actions.
	var exempt []string
	for _, action := range dataActions {
		match := "ActionMatches{'" + action + "'}"
		if action == read {
			match += " AND NOT SubOperationMatches{'Blob.List'}"
		}
		exempt = append(exempt, "!("+match+")")
	}
	pathClause := g.azureClause(exempt, "@Resource["+azureActions+"containers/blobs:path]")
	if !slices.Contains(dataActions, read) {
		return pathClause, nil
	}

	// The second clause limits the prefix of a listing, and exempts every other request.
	exceptListings := []string{"!(ActionMatches{'" + read + "'} AND SubOperationMatches{'Blob.List'})"}
	listClause := g.azureClause(exceptListings, "@Request["+azureActions+"containers/blobs:prefix]")
	return pathClause + "\nAND\n" + listClause, nil
}

// azureClause returns the clause of a condition that limits an attribute of a request to the
// grant's prefix. If all the expressions in exempt are true, the clause permits the request anyway.
func (g Grant) azureClause(exempt []string, attribute string) string {
	inContainer := "@Resource[" + azureActions + "containers:name] StringEquals '" + g.Bucket + "'"
	hasPrefix := attribute + " StringStartsWith '" + g.Prefix + "'"
	return "(\n (\n  " + strings.Join(exempt, "\n  AND\n  ") + "\n )\n OR\n (\n  " +
		inContainer + "\n  AND\n  " + hasPrefix + "\n )\n)"
}

// azureSignature returns the parameters of a shared access signature. The signature is for the
// account if an operation is about the container itself, for a directory if the grant has a prefix,
// and otherwise for the container.
//
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas
// https://learn.microsoft.com/rest/api/storageservices/create-account-sas
func (g Grant) azureSignature() ([]Document, error) {
	if err := g.refuseAccountKey(AzureSAS); err != nil {
		return nil, err
	}
	isOnBucket := func(o Operation) bool { return o.Section() == bucketSection }
	if slices.ContainsFunc(g.Operations, isOnBucket) {
		return g.accountSignature(), nil
	}
	if g.Prefix != "" {
		return g.directorySignature()
	}
	return []Document{{
		Name: "parameters",
		Use:  "of a shared access signature of the container " + g.Bucket,
		Text: "sr=c&sp=" + g.objectLetters(),
	}}, nil
}

// objectLetters returns the letters of the permissions on objects. It leaves out letters in the form
// "r(c)", which only a signature of an account can have. Operations on objects work without them.
func (g Grant) objectLetters() string {
	letters := slices.DeleteFunc(g.permissions(AzureSAS, anyOperation), func(letter string) bool {
		return strings.Contains(letter, "(")
	})
	return strings.Join(letters, "")
}

// directorySignature returns the parameters of a shared access signature for the directory that the
// prefix of the grant names.
func (g Grant) directorySignature() ([]Document, error) {
	// A signature for a directory needs its depth, so the prefix must be a path of complete names.
	hasEmptyName := strings.HasPrefix(g.Prefix, "/") || strings.Contains(g.Prefix, "//")
	if hasEmptyName || !strings.HasSuffix(g.Prefix, "/") {
		return nil, argument.Invalid("prefix",
			`must be a directory that ends in "/": a shared access signature has no other prefix`, "")
	}
	// sdd is the number of directories in the path.
	depth := strconv.Itoa(strings.Count(g.Prefix, "/"))
	return []Document{{
		Name: "parameters",
		Use: "of a shared access signature of the directory " + strings.TrimSuffix(g.Prefix, "/") +
			" of the container " + g.Bucket + ", in an account with a hierarchical namespace",
		Text: "sr=d&sdd=" + depth + "&sp=" + g.objectLetters(),
	}}, nil
}

// accountSignature returns the parameters of a shared access signature of the account, which is
// valid for all containers.
func (g Grant) accountSignature() []Document {
	// A permission has a letter, and the type of resource to which it applies.
	var letters []string
	needsType := map[string]bool{}
	for _, permission := range g.permissions(AzureSAS, anyOperation) {
		letter, resourceType := splitLetter(permission)
		letters = append(letters, letter)
		needsType[resourceType] = true
	}

	// The types are service, container and object, in this order.
	resourceTypes := ""
	for _, resourceType := range []string{"s", "c", "o"} {
		if needsType[resourceType] {
			resourceTypes += resourceType
		}
	}
	return []Document{{
		Name: "parameters",
		Use:  "of a shared access signature of the account, which holds for all containers",
		Text: "ss=b&srt=" + resourceTypes + "&sp=" + strings.Join(sortLetters(letters), ""),
	}}
}

// splitLetter splits a permission such as "r(c)" into its letter and its resource type: "s" for the
// service, "c" for a container and "o" for an object.
func splitLetter(permission string) (letter, resourceType string) {
	letter, ending, found := strings.Cut(permission, "(")
	if found {
		return letter, strings.TrimSuffix(ending, ")")
	}
	if letter == "l" {
		// Listing blobs is an operation on the container.
		return letter, "c"
	}
	return letter, "o"
}
