package main

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/locations"
)

const (
	// completionTime limits the time that a completion may take, because a person waits.
	completionTime = 2 * time.Second
	// completionLimit limits the number of completions.
	completionLimit = 500
)

// completeLocations makes a shell complete locations as the arguments of all commands that have no other
// completions.
func completeLocations(p *program.Program, root *cobra.Command) {
	for _, c := range root.Commands() {
		hasCompletion := c.ValidArgsFunction != nil || len(c.ValidArgs) > 0
		hasArguments := strings.Contains(c.Use, " ")
		if hasCompletion || !hasArguments {
			continue
		}
		// The arguments of a command with subcommands are their names, unless its usage says otherwise.
		if c.HasSubCommands() && !strings.Contains(c.Use, "LOCATION") {
			continue
		}
		c.ValidArgsFunction = completion(p, completeLocation)
	}
}

// completion adapts a completion function of this program to the signature that cobra expects.
func completion(
	p *program.Program,
	complete func(
		p *program.Program, c *cobra.Command, args []string, text string,
	) ([]string, cobra.ShellCompDirective),
) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
		return complete(p, c, args, text)
	}
}

// completeLocation completes the name of a location, a bucket, a key or a path. After completionTime,
// it returns what it has found so far.
func completeLocation(
	p *program.Program, c *cobra.Command, _ []string, text string,
) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveKeepOrder
	p.Command = c
	// With an invalid configuration, the shell completes names of files.
	if p.LoadConfig() != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	if text == "" {
		return append(completeNames(p, text), completePaths(text)...), directive
	}

	l, err := p.Stores.Locate(text)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	switch l.Kind {
	case location.InBucket:
		return completeKeys(ctx, p, text, l), directive | cobra.ShellCompDirectiveNoFileComp
	case location.Account:
		return completeBuckets(ctx, p, text, l), directive | cobra.ShellCompDirectiveNoFileComp
	case location.LocalPath:
		return append(completeNames(p, text), completePaths(text)...), directive
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeNames returns the named locations that begin with text.
func completeNames(p *program.Program, text string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(p.Stores.Config.Locations)) {
		if strings.HasPrefix(name, text) {
			names = append(names, name+":")
		}
	}
	return names
}

// completePaths returns the paths that begin with text, those of directories with a slash at the end.
func completePaths(text string) []string {
	dir, base := filepath.Split(text)
	parent := cmp.Or(dir, ".")

	// If the directory cannot be read to its end, entries has what could be read.
	entries, _ := os.ReadDir(parent)

	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, base) {
			continue
		}
		isHidden := base == "" && strings.HasPrefix(name, ".")
		isUnsafe := !isCompletable(filepath.ToSlash(dir + name))
		looksLikeFlag := strings.HasPrefix(dir+name, "-")
		if isHidden || isUnsafe || looksLikeFlag {
			continue
		}

		if entry.IsDir() || location.IsDirectory(filepath.Join(parent, name)) {
			name += "/"
		}
		names = append(names, dir+name)
		if len(names) == completionLimit {
			break
		}
	}
	return names
}

// completeKeys completes a key with the objects and folders that begin with it, one level deep. For text
// that may end within the name of a bucket, it returns the buckets with that beginning, if there are any. If the
// bucket cannot be listed to its end, it returns the completions that it has found.
func completeKeys(ctx context.Context, p *program.Program, text string, l location.Location) []string {
	if mayEndInBucket(text, l) {
		// If there is no such bucket, text ends in a key.
		if buckets := completeBuckets(ctx, p, text, l); len(buckets) > 0 {
			return buckets
		}
	}
	// After the name of an account, as in all:pho, text without a slash surely ends within a bucket's name.
	if l.InAccount && !strings.Contains(text, "/") {
		return completeBuckets(ctx, p, text, l)
	}

	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return nil
	}

	entries := bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(l.Key), storage.WithDelimiter("/"),
		storage.WithLimit(completionLimit))
	var names []string
	for entry, err := range entries {
		if err != nil {
			break
		}
		// The argument already names this folder.
		isMarker := entry.Key == l.Key && !entry.IsPrefix && strings.HasSuffix(entry.Key, "/")
		if isMarker {
			continue
		}
		if completed := withKey(text, l, entry.Key); completed != "" {
			names = append(names, completed)
		}
	}
	return names
}

// mayEndInBucket reports whether an address, such as s3://pho, may be the beginning of a bucket's name.
func mayEndInBucket(text string, l location.Location) bool {
	if !locations.IsAddress(text) || l.Scheme == "file" || l.Query != "" {
		return false
	}
	hasSlashAfterBucket := strings.Count(text, "/") > len("//")
	return !hasSlashAfterBucket
}

// withKey returns the argument text with another key, which begins with the key of l, the location of
// text. It returns "" if the key has characters that the shell would interpret.
func withKey(text string, l location.Location, key string) string {
	if !strings.HasPrefix(key, l.Key) {
		return ""
	}
	if locations.IsAddress(text) {
		// Keep only the parameters that the user wrote, without those that flags have added.
		l.Query = writtenQuery(text)
		escapedKey := (&url.URL{Path: key}).EscapedPath()
		return l.AddressWith(inShell(escapedKey))
	}

	// In the form name:key, nothing is escaped.
	if !isCompletable(key) {
		return ""
	}
	name, _, _ := strings.Cut(text, ":")
	if l.InAccount {
		// The name is that of an account, so the bucket stands before the key.
		key = l.Host + "/" + key
	}
	return name + ":" + key
}

// writtenQuery returns the query of an address as the user wrote it.
func writtenQuery(address string) string {
	address, _, _ = strings.Cut(address, "#")
	_, query, _ := strings.Cut(address, "?")
	return query
}

// completeBuckets returns the completions of text, in which l.Host is the beginning of a bucket's name. It returns
// those found so far if the account cannot be listed to its end.
func completeBuckets(ctx context.Context, p *program.Program, text string, l location.Location) []string {
	service, err := storage.OpenService(ctx, l.Scheme+"://"+l.Parameters())
	if err != nil {
		return nil
	}
	defer service.Close()

	var names []string
	for info, err := range service.Buckets(ctx) {
		if err != nil || len(names) == completionLimit {
			break
		}
		if strings.HasPrefix(info.Name, l.Host) && isCompletable(info.Name) {
			names = append(names, withBucket(text, l.Scheme, info.Name))
		}
	}
	return names
}

// withBucket returns text, an argument such as s3://buck or all:buck, with the whole name of a bucket in
// place of its beginning.
func withBucket(text, scheme, bucket string) string {
	if !locations.IsAddress(text) {
		name, _, _ := strings.Cut(text, ":")
		return name + ":" + bucket + "/"
	}

	completed := scheme + "://" + bucket + "/"
	if query := writtenQuery(text); query != "" {
		completed += "?" + query
	}
	return completed
}

// completeConfigNames completes the names of locations in the configuration file.
func completeConfigNames(
	p *program.Program, c *cobra.Command, _ []string, text string,
) ([]string, cobra.ShellCompDirective) {
	p.Command = c
	// A configuration that cannot be read has no completions.
	if p.LoadConfig() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	var names []string
	for _, name := range completeNames(p, text) {
		names = append(names, strings.TrimSuffix(name, ":"))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeSettings completes the names of settings, which have their usage as a description.
func completeSettings(
	p *program.Program, c *cobra.Command, args []string, text string,
) ([]string, cobra.ShellCompDirective) {
	// Only the first argument of "config set" is a name.
	if len(args) > 0 && c.Name() != "unset" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	var names []string
	program.Settings(c.Root(), func(flag *pflag.Flag) {
		if strings.HasPrefix(flag.Name, text) {
			names = append(names, flag.Name+"\t"+flag.Usage)
		}
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}
