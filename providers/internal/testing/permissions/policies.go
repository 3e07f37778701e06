package permissions

import (
	"encoding/json"
	"slices"
	"strings"
)

// granted returns the permissions that a role needs, in order. A signature of a container has no
// letters for the container itself, which no operation with objects must have.
func granted(c Credential, role Role) (all []string) {
	for i := range Rows {
		row := &Rows[i]
		if row.Role == role || role == Full && row.Role != None {
			all = append(all, row.Needs.of(c)...)
		}
	}
	if c == AzureSignature {
		all = slices.DeleteFunc(all, func(letter string) bool { return strings.Contains(letter, "(") })
	}
	return ordered(c, all)
}

// ordered returns permissions without those that occur twice. Letters are in the order that a
// signature must have.
//
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas#specify-permissions
func ordered(c Credential, all []string) []string {
	slices.Sort(all)
	if c == AzureSignature {
		slices.SortStableFunc(all, func(a, b string) int {
			return strings.Index("racwdxyltmeopi", a[:1]) - strings.Index("racwdxyltmeopi", b[:1])
		})
	}
	return slices.Compact(all)
}

// AmazonPolicy returns the policy of a role, as JSON.
func AmazonPolicy(role Role, bucket string) string {
	type statement struct {
		Effect   string
		Action   []string
		Resource string
	}
	onBucket := statement{"Allow", nil, "arn:aws:s3:::" + bucket}
	onObjects := statement{"Allow", nil, onBucket.Resource + "/*"}
	for _, action := range granted(Amazon, role) {
		if strings.HasPrefix(action, "s3:ListBucket") {
			onBucket.Action = append(onBucket.Action, action)
		} else {
			onObjects.Action = append(onObjects.Action, action)
		}
	}
	policy := struct {
		Version   string
		Statement []statement
	}{"2012-10-17", nil}
	for _, s := range []statement{onBucket, onObjects} {
		if len(s.Action) > 0 {
			policy.Statement = append(policy.Statement, s)
		}
	}
	return indented(policy)
}

// googleRole returns the custom role of a role, in the form that "gcloud iam roles create
// --file" takes.
func googleRole(role Role) string {
	return indented(struct {
		Title       string   `json:"title"`
		Permissions []string `json:"includedPermissions"`
	}{"omnibucket", granted(Google, role)})
}

// azureRole returns the custom role of a role, in the form that "az role definition create"
// takes.
func azureRole(role Role) string {
	definition := struct {
		Name             string
		IsCustom         bool
		Actions          []string
		DataActions      []string
		AssignableScopes []string
	}{"omnibucket", true, []string{}, []string{}, []string{"/subscriptions/SUBSCRIPTION"}}
	for _, action := range granted(AzureRole, role) {
		full := azureActions + action
		if strings.HasPrefix(action, "containers/blobs/") {
			definition.DataActions = append(definition.DataActions, full)
		} else {
			definition.Actions = append(definition.Actions, full)
		}
	}
	return indented(definition)
}

// azureActions is the text before each action of the table.
const azureActions = "Microsoft.Storage/storageAccounts/blobServices/"

func indented(document any) string {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		panic(err) // the documents are this package's own
	}
	return string(text)
}
