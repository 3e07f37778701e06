package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"

	"github.com/omnibucket/storage/analyzers/permissions/internal/rights"
)

// A policyFlags has the flags about policies.
type policyFlags struct {
	provider string
	region   string
	kmsKey   string
}

// add defines the flags.
func (p *policyFlags) add(flags *flag.FlagSet) {
	flags.StringVar(&p.provider, "policy", "", "print policies for a `provider`: aws, minio, google, azure or azure-sas")
	flags.StringVar(&p.region, "region", "", "`region` of the buckets on AWS")
	flags.StringVar(&p.kmsKey, "kms-key", "", "`ARN` of the key of AWS KMS")
}

// schemes has the scheme of the addresses of each provider's buckets.
var schemes = map[permissions.Provider]string{
	permissions.AWS:      "s3",
	permissions.MinIO:    "s3",
	permissions.Google:   "gs",
	permissions.Azure:    "azblob",
	permissions.AzureSAS: "azblob",
}

// printPolicies prints a policy for each program and each bucket. It returns statusFound if a
// program needs an operation that no policy can grant, or that none can limit to the bucket's
// prefix.
//
// An error about one bucket does not keep the policies of the others from being printed.
func (c *command) printPolicies(all []report) (status int, err error) {
	provider := permissions.Provider(c.policy.provider)
	if !slices.Contains(permissions.Providers(), provider) {
		return 0, fmt.Errorf("-policy must be one of %v", permissions.Providers())
	}

	var errs []error
	for _, r := range all {
		for _, b := range r.Buckets {
			grantable, ungranted := b.grantable(provider)
			limited, unlimited := c.supported(provider, b, grantable)

			for _, o := range append(ungranted, unlimited...) {
				status = statusFound
				fmt.Fprintf(c.stderr, "%s: no policy has %s on %s\n", strings.Join(o.Calls, ", "), o.Name, b.Name)
			}

			if len(limited) == 0 {
				continue
			}
			if err := c.printPolicy(provider, r.Program, b, limited); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", r.Program, b.Name, err))
			}
		}
	}
	return status, errors.Join(errs...)
}

// supported returns the operations that the provider supports and a policy can limit to the prefix
// of the bucket, and those that no policy can limit. It prints a note for each operation that the
// provider does not support.
func (c *command) supported(
	provider permissions.Provider, b bucket, operations []permissions.Operation,
) (limited []permissions.Operation, unlimited []operation) {
	for _, o := range operations {
		if _, err := o.Needs(provider); storage.CodeOf(err) == storage.Unsupported {
			fmt.Fprintf(c.stderr, "note: %s lacks %s, and the program on %s does without\n", provider, o, b.Name)
			continue
		}
		if !c.canLimit(provider, b, o) {
			index := slices.IndexFunc(b.Operations, func(op operation) bool {
				return op.Name == string(o)
			})
			unlimited = append(unlimited, b.Operations[index])
			continue
		}
		limited = append(limited, o)
	}
	return limited, unlimited
}

// canLimit reports whether a policy of the provider can limit an operation to the prefix of the
// bucket, if it has one.
func (c *command) canLimit(provider permissions.Provider, b bucket, o permissions.Operation) bool {
	// No provider can limit signing to a prefix. The signed requests need other operations.
	if b.source.Prefix == "" || o == "sign" {
		return true
	}
	_, err := c.grant(b, o).Documents(provider)
	return storage.CodeOf(err) != storage.Unsupported
}

// grantable returns the operations on a bucket that a policy can grant, and those that no policy
// can grant. For a bucket of another provider, it returns none.
func (b *bucket) grantable(provider permissions.Provider) (granted []permissions.Operation, ungranted []operation) {
	scheme, _, hasScheme := strings.Cut(b.source.Name, "://")
	// A configuration file, which is not known here, gives the address of a named location.
	isNamedLocation := !hasScheme && strings.HasPrefix(b.source.Name, rights.LocationPrefix)
	if b.Unknown || isNamedLocation {
		// The bucket may belong to any provider.
		return nil, b.Operations
	}
	if scheme != schemes[provider] {
		return nil, nil
	}

	for _, op := range b.Operations {
		if op.Name == rights.Anything {
			ungranted = append(ungranted, op)
			continue
		}
		granted = append(granted, permissions.Operation(op.Name))
	}
	return granted, ungranted
}

// printPolicy prints the documents of the policy that grants operations on a bucket.
func (c *command) printPolicy(
	provider permissions.Provider, program string, b bucket, operations []permissions.Operation,
) error {
	grant := c.grant(b, operations...)
	documents, err := grant.Documents(provider)
	if err != nil {
		return err
	}

	failures := grant.OnlyAfterFailures(provider)
	for i, d := range documents {
		fmt.Fprintf(c.stdout, "# %s: %s of %s. %s\n", program, d.Name, b.Name, d.Use)
		if i == 0 && len(failures) > 0 {
			fmt.Fprintf(c.stdout, "# Only failures need %s.\n", strings.Join(failures, ", "))
		}
		fmt.Fprintln(c.stdout, strings.TrimSpace(d.Text))
	}
	return nil
}

// grant returns the grant of operations on a bucket.
func (c *command) grant(b bucket, operations ...permissions.Operation) permissions.Grant {
	// The name of a known bucket is an address such as s3://bucket.
	_, rest, _ := strings.Cut(b.source.Name, "://")
	name, _, _ := strings.Cut(rest, "/")
	return permissions.Grant{
		Operations: operations,
		Bucket:     name,
		Prefix:     b.source.Prefix,
		Region:     c.policy.region,
		KMSKey:     c.policy.kmsKey,
	}
}
