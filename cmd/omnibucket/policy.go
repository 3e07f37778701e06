package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/permissions"
	"github.com/omnibucket/storage/providers/s3"
)

// policyFlags are the flags of policy.
type policyFlags struct {
	operations []string
	prefix     string
	provider   string
	kmsKey     string
}

// policyCommand returns the command policy, which prints the permissions that a program needs.
func policyCommand(p *program.Program) *cobra.Command {
	var f policyFlags
	c := &cobra.Command{
		Use:   "policy --for OPERATION,... LOCATION",
		Short: "Print the policy that allows some operations and nothing else",
		Long: `Prints what gives a program the permissions for operations, and no others: a policy of
Amazon or MinIO, a role and binding of Google, a role and condition of Azure, or the
parameters of a shared access signature. It makes no request. Replace the words in upper
case, such as PROJECT.

The key of the location, or --prefix, limits the policy to keys that begin with it: "users/"
is a folder, and "users" also includes "users2/". A policy of MinIO cannot limit listings to
a prefix, so leave list and list-versions out there. Its s3:GetObject also permits reads of
old versions.

A note names the permissions that only failures need, such as the one to abort an upload.

` + policyOperations(),
		Example: `  omnibucket policy --for read,list s3://photos/users/
  omnibucket policy --for everything,-list-uploads 's3://photos/users/?region=cn-north-1'
  omnibucket policy --for write --provider azure-sas 'azblob://photos?account=acme'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("prefix") && f.prefix == "" {
				return argument.Invalid("--prefix must not be empty", "leave it out, to allow all keys")
			}
			return policy(p, &f, args[0])
		},
	}

	flags := c.Flags()
	flags.StringSliceVar(&f.operations, "for", nil,
		"`operations` and groups, separated by commas; \"-\" before one takes it away")
	flags.StringVar(&f.prefix, "prefix", "", "`beginning` of the keys, for a location without a key")
	flags.StringVar(&f.provider, "provider", "",
		"`name` of the provider in place of the location's own: aws, minio, google, azure, azure-sas")
	flags.StringVar(&f.kmsKey, "kms-key", "", "`ARN` of the key of AWS, for operations with a key of KMS")
	return c
}

// policyOperations lists all groups and operations for the help.
func policyOperations() string {
	var b strings.Builder
	b.WriteString("Groups:\n")
	for _, g := range permissions.Groups() {
		fmt.Fprintf(&b, "  %-28s %s\n", g.Name, g.Detail)
	}

	section := ""
	for _, o := range permissions.Operations() {
		if o.Section() != section {
			section = o.Section()
			fmt.Fprintf(&b, "\n%s:\n", section)
		}
		description := strings.TrimSpace(o.Call() + " " + strings.ReplaceAll(o.Detail(), "`", ""))
		fmt.Fprintf(&b, "  %-28s %s\n", o, description)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// A policyLine is a generated policy document in JSON.
type policyLine struct {
	Provider permissions.Provider `json:"provider"`
	Name     string               `json:"name"`
	Use      string               `json:"use"`
	Text     string               `json:"text"`
	// OnlyAfterFailures has the permissions of all documents that only failures need.
	OnlyAfterFailures []string `json:"onlyAfterFailures,omitempty"`
}

// policy prints the documents that grant the operations of the flags at a location.
func policy(p *program.Program, f *policyFlags, text string) error {
	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return err
	}

	parameters, err := url.ParseQuery(l.Query)
	if err != nil {
		return argument.Invalid("the address must have a valid query", "escape % as %25 and & as %26")
	}
	grant, provider, err := f.grant(l, parameters)
	if err != nil {
		return err
	}

	documents, err := grant.Documents(provider)
	if err != nil {
		return err
	}

	// The first document is the policy itself.
	permitsGet := strings.Contains(documents[0].Text, `"s3:GetObject"`)
	if provider == permissions.MinIO && permitsGet {
		p.Note("MinIO's s3:GetObject also permits reads of noncurrent versions")
	}

	// A program needs these permissions only after a failure, such as that to abort a multipart upload.
	afterFailures := grant.OnlyAfterFailures(provider)
	if p.Global.JSON {
		return printPolicyLines(p, provider, documents, afterFailures)
	}
	if len(afterFailures) > 0 {
		p.Note("only failures need %s", strings.Join(afterFailures, ", "))
	}
	printDocuments(p, documents)
	return nil
}

// printPolicyLines prints each document as a line of JSON, with the permissions that only failures need.
func printPolicyLines(
	p *program.Program, provider permissions.Provider, documents []permissions.Document, afterFailures []string,
) error {
	for _, d := range documents {
		line := policyLine{
			Provider:          provider,
			Name:              d.Name,
			Use:               d.Use,
			Text:              d.Text,
			OnlyAfterFailures: afterFailures,
		}
		if err := p.Out.JSON(line); err != nil {
			return err
		}
	}
	return nil
}

// printDocuments prints policy documents with a heading for each. A single document in JSON has no heading, so that
// the output can be used as a file.
func printDocuments(p *program.Program, documents []permissions.Document) {
	isFile := len(documents) == 1 && json.Valid([]byte(documents[0].Text))
	for i, d := range documents {
		if i > 0 {
			p.Out.Printf("\n")
		}
		if !isFile {
			p.Out.Printf("# %s: %s\n", d.Name, d.Use)
		}
		p.Out.Printf("%s\n", d.Text)
	}
}

// grant returns the permissions that the flags and the location describe, and the provider that
// gives them. The parameters are the query of the location.
func (f *policyFlags) grant(
	l location.Location, parameters url.Values,
) (g permissions.Grant, provider permissions.Provider, err error) {
	provider, err = f.providerOf(l, parameters)
	if err != nil {
		return g, "", err
	}

	if len(f.operations) == 0 {
		return g, "", argument.Invalid("--for must name operations", "see \"omnibucket policy --help\"")
	}
	operations, err := permissions.Parse(f.operations...)
	if err != nil {
		return g, "", err
	}

	if l.HasWildcard {
		return g, "", argument.Invalid("location must not have wildcards", "set --prefix, whose text is literal")
	}

	prefix := l.Prefix + l.Key
	if f.prefix != "" {
		if l.Key != "" {
			return g, "", argument.Invalid("--prefix must not be set if the location has a key", "leave one of them out")
		}
		prefix = l.Prefix + f.prefix
	}

	return permissions.Grant{
		Operations: operations,
		Bucket:     l.Host,
		Prefix:     prefix,
		Region:     parameters.Get("region"),
		KMSKey:     f.kmsKey,
	}, provider, nil
}

// providerOf returns the provider that --provider names, or else that of the location.
func (f *policyFlags) providerOf(l location.Location, parameters url.Values) (permissions.Provider, error) {
	if l.Scheme != "s3" && l.Scheme != "gs" && l.Scheme != "azblob" {
		return "", &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("a directory and a bucket in memory have no policies"),
			Hint: "set modes of files, or open a read-only view",
		}
	}

	if f.provider != "" {
		return permissions.Provider(f.provider), nil
	}
	if l.Scheme == "gs" {
		return permissions.Google, nil
	}
	if l.Scheme == "azblob" {
		return permissions.Azure, nil
	}

	// A server of S3 may be of any vendor, which only the profile and the endpoint show.
	endpoint := parameters.Get("endpoint")
	profileName := parameters.Get("profile")
	if profile, _ := s3.NamedProfile(profileName); profile.Name == "minio" {
		return permissions.MinIO, nil
	}
	isAmazon := (endpoint == "" && profileName == "") || profileName == "aws" || isAmazonURL(endpoint)
	if isAmazon {
		return permissions.AWS, nil
	}
	return "", argument.Invalid("--provider must say whose policies the server takes",
		"set --provider aws or --provider minio")
}

// isAmazonURL reports whether the host of a URL is one of Amazon. In China, these hosts end in
// ".amazonaws.com.cn".
func isAmazonURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	return strings.Contains(u.Hostname()+".", ".amazonaws.com.")
}
