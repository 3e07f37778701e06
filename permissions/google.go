package permissions

import (
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

// A googleRole is a custom role, in the form that "gcloud iam roles create --file" accepts.
//
// https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles
type googleRole struct {
	Title       string   `json:"title"`
	Permissions []string `json:"includedPermissions"`
}

// A googleBinding grants a role to members. It is one of the bindings of a policy.
//
// https://cloud.google.com/iam/docs/reference/rest/v1/Policy#Binding
type googleBinding struct {
	Role      string           `json:"role"`
	Members   []string         `json:"members"`
	Condition *googleCondition `json:"condition,omitempty"`
}

// A googleCondition limits the access that a binding grants.
//
// https://cloud.google.com/iam/docs/reference/rest/v1/Expr
type googleCondition struct {
	Title      string `json:"title"`
	Expression string `json:"expression"`
}

// googleScopes are the kinds of resources on which operations need permissions. Each has its own
// role, because a binding on the project would allow the operations on all of its buckets.
var googleScopes = []struct {
	role     string
	resource string
	// limited is true if the prefix of a grant limits the operations of this scope.
	limited bool
	// has reports whether an operation belongs to this scope.
	has func(Operation) bool
}{
	{
		role:     "omnibucket",
		resource: "the bucket",
		limited:  true,
		has:      func(o Operation) bool { return !isOfProject(o) && o != "sign" },
	},
	{
		role:     "omnibucketProject",
		resource: "the project",
		has:      isOfProject,
	},
	{
		role:     "omnibucketSigner",
		resource: "the service account that signs",
		has:      func(o Operation) bool { return o == "sign" },
	},
}

// isOfProject reports whether the operation creates or lists buckets. Only a role on the project
// permits that.
func isOfProject(o Operation) bool {
	return o == "list-buckets" || strings.HasPrefix(string(o), "create-bucket")
}

// googleDocuments returns a role and its binding for each kind of resource on which the operations
// need permissions. If they need none at all, it fails with Unsupported.
func (g Grant) googleDocuments() ([]Document, error) {
	// With a prefix, a condition limits the binding to the objects below it.
	var condition *googleCondition
	if g.Prefix != "" {
		expression, err := GoogleCondition(g.Bucket, g.Prefix)
		if err != nil {
			return nil, err
		}
		condition = &googleCondition{Title: "omnibucket", Expression: expression}
	}

	var documents []Document
	for _, scope := range googleScopes {
		permissions := g.permissions(Google, scope.has) // of the operations in this scope
		if len(permissions) == 0 {
			continue
		}

		role := googleRole{Title: scope.role, Permissions: permissions}
		documents = append(documents, Document{
			Name: "role",
			Use:  "for gcloud iam roles create " + scope.role + " --file",
			Text: encodeJSON(role),
		})

		binding := googleBinding{Role: "projects/PROJECT/roles/" + scope.role, Members: []string{"MEMBER"}}
		// The prefix does not limit the other scopes.
		if scope.limited {
			binding.Condition = condition
		}
		documents = append(documents, Document{
			Name: "binding",
			Use:  "for the bindings of the IAM policy of " + scope.resource,
			Text: encodeJSON(binding),
		})
	}

	if len(documents) == 0 {
		// The operation "upload-resumed" needs no permission.
		return nil, unsupportedError(Google, "needs no policy for these operations", g.Operations...)
	}
	return documents, nil
}

// celEscapes escapes the special characters of a text, for a string in double quotes of CEL.
//
// https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values
var celEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// GoogleCondition returns the expression of an IAM Condition that limits permissions to the objects
// under a prefix, and listings to prefixes that begin with it. The expression also works as the
// availabilityCondition of a Credential Access Boundary.
//
// https://cloud.google.com/iam/docs/conditions-attribute-reference#api-attributes
//
// GoogleCondition fails with InvalidArgument if bucket is not a valid name of a Google bucket, if
// prefix is "", or if no key can begin with prefix.
func GoogleCondition(bucket, prefix string) (string, error) {
	if prefix == "" {
		return "", argument.Invalid("prefix", "must not be empty", "")
	}
	grant := Grant{Operations: []Operation{"download"}, Bucket: bucket, Prefix: prefix}
	if err := grant.check(Google); err != nil {
		return "", err
	}

	quotedPrefix := celEscapes.Replace(prefix)
	return `resource.name.startsWith("projects/_/buckets/` + bucket + `/objects/` + quotedPrefix + `") || ` +
		`api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("` + quotedPrefix + `")`, nil
}
