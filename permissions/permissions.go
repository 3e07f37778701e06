// Package permissions knows the permissions that operations of package storage need on each
// provider, and writes policies that allow only these operations. docs/permissions.md has the
// permissions as tables. Tests compare each row with the requests that drivers send.
//
// A [Grant] has operations, a bucket and a prefix of keys:
//
//	operations, err := permissions.Parse("read", "list")
//	grant := permissions.Grant{Operations: operations, Bucket: "photos", Prefix: "users/"}
//	documents, err := grant.Documents(permissions.AWS)
//
// The command "omnibucket policy" prints the same documents.
package permissions

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// A Provider is a system whose access control this package writes policies for.
type Provider string

// The providers.
const (
	AWS      Provider = "aws"       // an IAM user or role of Amazon S3
	MinIO    Provider = "minio"     // a user of a MinIO server
	Google   Provider = "google"    // a service account or user of Google Cloud Storage
	Azure    Provider = "azure"     // an identity of Microsoft Entra ID
	AzureSAS Provider = "azure-sas" // a shared access signature
)

// Providers returns all providers.
func Providers() []Provider { return []Provider{AWS, MinIO, Google, Azure, AzureSAS} }

// An Operation is the name of a call with its options, such as "upload-if-absent". Each operation
// is a row of docs/permissions.md. [Operations] returns all operations, and [Parse] finds
// operations by name.
type Operation string

// A row has the documentation and the permissions of one operation.
type row struct {
	operation    Operation
	call, detail string
	needs        needs
}

// A section has the operations of one table in docs/permissions.md.
type section struct {
	name string
	rows []row
}

const bucketSection = "Buckets"

var sections = []section{
	{"Objects", onObjects},
	{"Tags, locks, encryption", onControls},
	{"Signed URLs", onSigning},
	{bucketSection, onBuckets},
}

// A sectionRow is a row together with the name of its section.
type sectionRow struct {
	row
	section string
}

// rowsByOperation maps each operation to its row. The map is made at the first use, because most
// programs never need it.
var rowsByOperation = sync.OnceValue(func() map[Operation]sectionRow {
	rows := map[Operation]sectionRow{}
	for _, s := range sections {
		for _, r := range s.rows {
			rows[r.operation] = sectionRow{row: r, section: s.name}
		}
	}
	return rows
})

// Operations returns all operations, in the order of docs/permissions.md.
func Operations() []Operation {
	var operations []Operation
	for _, section := range sections {
		for _, row := range section.rows {
			operations = append(operations, row.operation)
		}
	}
	return operations
}

// Section returns the heading under which docs/permissions.md has the operation, such as "Objects".
// If the operation is unknown, it returns "".
func (o Operation) Section() string { return rowsByOperation()[o].section }

// Call returns the methods and functions that need the permissions of the operation, separated by
// commas, such as "Download, Attrs, Exists".
func (o Operation) Call() string { return rowsByOperation()[o].call }

// Detail returns how the operation differs from others with the same Call, such as "with
// `IfAbsent`", or "".
func (o Operation) Detail() string { return rowsByOperation()[o].detail }

// Needs returns the sorted permissions that the operation needs, by the provider's names. Actions
// of Azure's roles are returned without their common beginning,
// Microsoft.Storage/storageAccounts/blobServices/. A permission of a shared access signature is a
// letter, such as "r". If the letter has an ending, such as "r(c)", the signature must be an
// account SAS. The ending (s) means the resource type service, and (c) means container.
// "account-key" means that only the account's key permits the operation.
//
// Needs fails with InvalidArgument if the operation or the provider is unknown. It fails with
// Unsupported if the provider does not support the operation.
func (o Operation) Needs(p Provider) ([]string, error) {
	row, ok := rowsByOperation()[o]
	if !ok {
		return nil, unknownOperationError(string(o))
	}
	if !slices.Contains(Providers(), p) {
		return nil, argument.Invalid("provider", "must be one of "+join(Providers()), "")
	}

	if p == MinIO && slices.Contains(minioLacks, o) {
		return nil, unsupportedError(p, "does not support these operations", o)
	}
	// unsupported stands in place of the permissions of an operation that the provider lacks.
	permissions := row.needs.fullNames(o, p)
	if slices.Contains(permissions, unsupported) {
		return nil, unsupportedError(p, "does not support these operations", o)
	}
	return permissions, nil
}

// unknownOperationError returns the InvalidArgument error for a name that no operation and no group
// has.
func unknownOperationError(name string) error {
	return argument.Invalid(
		"operation "+strconv.Quote(name), "must be one of "+join(groupNames())+", "+join(Operations()), "",
	)
}

// unsupportedError returns an Unsupported error that says what the provider does, and for which
// operations.
func unsupportedError(p Provider, does string, operations ...Operation) *storage.Error {
	text := fmt.Sprintf("%s %s: %s", p, does, join(operations))
	return &storage.Error{Code: storage.Unsupported, Err: errors.New(text)}
}

// join returns the names in one string, separated by commas.
func join[T ~string](names []T) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}
