package main

import (
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
)

const (
	// completionTime limits the time that a completion may take, because a person waits.
	completionTime = 2 * time.Second
	// completionLimit limits the number of completions.
	completionLimit = 500
)

// completeLocations completes the arguments of all commands that take locations.
func completeLocations(p *program.Program, root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 && strings.Contains(c.Use, " ") && !c.HasSubCommands() {
			c.ValidArgsFunction = completion(p, completeLocation)
		}
	}
}

// completion returns a function of the program as cobra calls it.
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

// completeLocation completes a named location, a bucket, a key or a path. What it cannot find
// soon, it leaves out.
func completeLocation(
	p *program.Program, c *cobra.Command, _ []string, text string,
) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveKeepOrder
	p.Command = c
	if p.LoadConfig() != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	l, err := p.Stores.Locate(text)
	switch {
	case err == nil && l.Kind == location.InBucket:
		return completeKeys(ctx, p, text, l), directive | cobra.ShellCompDirectiveNoFileComp
	case err == nil && l.Kind == location.Account:
		return completeBuckets(ctx, p, text, l), directive | cobra.ShellCompDirectiveNoFileComp
	case err == nil && l.Kind == location.LocalPath, text == "":
		return append(completeNames(p, text), completePaths(text)...), directive
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeNames returns the named locations that begin with text.
func completeNames(p *program.Program, text string) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(p.Stores.Config.Locations)) {
		if strings.HasPrefix(name, text) {
			found = append(found, name+":")
		}
	}
	return found
}

// completePaths returns the files that begin with text. Directories end in a slash.
func completePaths(text string) []string {
	dir, base := filepath.Split(text)
	in := dir
	if in == "" {
		in = "."
	}
	entries, _ := os.ReadDir(in) // those it could read
	var found []string
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case !strings.HasPrefix(name, base), base == "" && strings.HasPrefix(name, "."):
			continue
		case !isCompletable(filepath.ToSlash(dir + name)), strings.HasPrefix(dir+name, "-"): // or a flag
			continue
		}
		if entry.IsDir() || location.IsDirectory(filepath.Join(in, name)) {
			name += "/"
		}
		if found = append(found, dir+name); len(found) == completionLimit {
			break
		}
	}
	return found
}

// completeKeys returns the keys and folders that begin with a location's key, one level deep.
// If the text has no key yet, an address without a slash is that of a bucket.
func completeKeys(ctx context.Context, p *program.Program, text string, l location.Location) []string {
	if location.AddressForm.MatchString(text) && l.Scheme != "file" && strings.Count(text, "/") == 2 && l.Query == "" {
		if buckets := completeBuckets(ctx, p, text, l); len(buckets) > 0 {
			return buckets
		}
	}
	if l.InAccount && !strings.Contains(text, "/") {
		return completeBuckets(ctx, p, text, l)
	}
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return nil
	}
	var found []string
	for entry, err := range bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(l.Key), storage.WithDelimiter("/"), storage.WithLimit(completionLimit)) {
		if err != nil {
			break
		}
		if entry.Key == l.Key && !entry.IsPrefix && strings.HasSuffix(entry.Key, "/") {
			continue // the marker of the folder, whose name is there already
		}
		if completed := withKey(text, l, entry.Key); completed != "" {
			found = append(found, completed)
		}
	}
	return found
}

// withKey returns the text of an argument with a key in place of its own, or "" if a shell
// might read the key as something else. The key of an address is escaped.
func withKey(text string, l location.Location, key string) string {
	if !strings.HasPrefix(key, l.Key) {
		return ""
	}
	if !location.AddressForm.MatchString(text) {
		if !isCompletable(key) {
			return ""
		}
		name, _, _ := strings.Cut(text, ":")
		if l.InAccount {
			key = l.Host + "/" + key
		}
		return name + ":" + key
	}
	l.Query = writtenQuery(text) // without the parameters of flags
	return l.AddressWith(inShell((&url.URL{Path: l.Prefix + key}).EscapedPath()))
}

// writtenQuery returns the parameters that an address has.
func writtenQuery(address string) string {
	address, _, _ = strings.Cut(address, "#")
	_, query, _ := strings.Cut(address, "?")
	return query
}

// completeBuckets returns the buckets of an account whose names begin with the host of an
// address.
func completeBuckets(ctx context.Context, p *program.Program, text string, l location.Location) []string {
	service, err := storage.OpenService(ctx, l.Scheme+"://"+l.Parameters())
	if err != nil {
		return nil
	}
	defer func() { _ = service.Close() }()
	var found []string
	for info, err := range service.Buckets(ctx) {
		if err != nil || len(found) == completionLimit {
			break
		}
		if strings.HasPrefix(info.Name, l.Host) && isCompletable(info.Name) {
			completed := l.Scheme + "://" + info.Name + "/"
			if !location.AddressForm.MatchString(text) { // the name of an account
				name, _, _ := strings.Cut(text, ":")
				found = append(found, name+":"+info.Name+"/")
				continue
			}
			if query := writtenQuery(text); query != "" {
				completed += "?" + query
			}
			found = append(found, completed)
		}
	}
	return found
}

// completeConfigNames completes the names of the configuration file.
func completeConfigNames(
	p *program.Program, c *cobra.Command, _ []string, text string,
) ([]string, cobra.ShellCompDirective) {
	p.Command = c
	if p.LoadConfig() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []string
	for _, name := range completeNames(p, text) {
		found = append(found, strings.TrimSuffix(name, ":"))
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeSettings completes the names of settings.
func completeSettings(
	p *program.Program, c *cobra.Command, args []string, text string,
) ([]string, cobra.ShellCompDirective) {
	var found []string
	if len(args) == 0 || c.Name() == "unset" {
		program.Settings(c.Root(), func(flag *pflag.Flag) {
			if strings.HasPrefix(flag.Name, text) {
				found = append(found, flag.Name+"\t"+flag.Usage)
			}
		})
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
