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
)

const (
	// completionTime limits the time that a completion may take, because a person waits.
	completionTime = 2 * time.Second
	// completionLimit limits the number of completions.
	completionLimit = 500
)

// completeLocations completes the arguments of all commands that take locations.
func (p *program) completeLocations(root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 && strings.Contains(c.Use, " ") && !c.HasSubCommands() {
			c.ValidArgsFunction = p.completeLocation
		}
	}
}

// completeLocation completes a named location, a bucket, a key or a path. What it cannot find
// soon, it leaves out.
func (p *program) completeLocation(c *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveKeepOrder
	p.command = c
	if p.loadConfig() != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	l, err := p.locate(text)
	switch {
	case err == nil && l.kind == inBucket:
		return p.completeKeys(ctx, text, l), directive | cobra.ShellCompDirectiveNoFileComp
	case err == nil && l.kind == account:
		return p.completeBuckets(ctx, text, l), directive | cobra.ShellCompDirectiveNoFileComp
	case err == nil && l.kind == localPath, text == "":
		return append(p.completeNames(text), completePaths(text)...), directive
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeNames returns the named locations that begin with text.
func (p *program) completeNames(text string) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(p.config.Locations)) {
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
		if entry.IsDir() || isDirectory(filepath.Join(in, name)) {
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
func (p *program) completeKeys(ctx context.Context, text string, l location) []string {
	if addressForm.MatchString(text) && l.scheme != "file" && strings.Count(text, "/") == 2 && l.query == "" {
		if buckets := p.completeBuckets(ctx, text, l); len(buckets) > 0 {
			return buckets
		}
	}
	bucket, err := p.open(ctx, l)
	if err != nil {
		return nil
	}
	var found []string
	for entry, err := range bucket.List(ctx, storage.WithPrefix(l.key), storage.WithDelimiter("/"), storage.WithLimit(completionLimit)) {
		if err != nil {
			break
		}
		if completed := withKey(text, l, entry.Key); completed != "" {
			found = append(found, completed)
		}
	}
	return found
}

// withKey returns the text of an argument with a key in place of its own, or "" if a shell
// might read the key as something else. The key of an address is escaped.
func withKey(text string, l location, key string) string {
	if !strings.HasPrefix(key, l.key) {
		return ""
	}
	if !addressForm.MatchString(text) {
		if !isCompletable(key) {
			return ""
		}
		name, _, _ := strings.Cut(text, ":")
		return name + ":" + key
	}
	l.query = writtenQuery(text) // without the parameters of flags
	return l.addressWith(inShell((&url.URL{Path: l.prefix + key}).EscapedPath()))
}

// writtenQuery returns the parameters that an address has.
func writtenQuery(address string) string {
	address, _, _ = strings.Cut(address, "#")
	_, query, _ := strings.Cut(address, "?")
	return query
}

// completeBuckets returns the buckets of an account whose names begin with the host of an
// address.
func (p *program) completeBuckets(ctx context.Context, text string, l location) []string {
	service, err := storage.OpenService(ctx, l.scheme+"://"+l.parameters())
	if err != nil {
		return nil
	}
	defer func() { _ = service.Close() }()
	var found []string
	for info, err := range service.Buckets(ctx) {
		if err != nil || len(found) == completionLimit {
			break
		}
		if strings.HasPrefix(info.Name, l.host) && isCompletable(info.Name) {
			completed := l.scheme + "://" + info.Name + "/"
			if query := writtenQuery(text); query != "" {
				completed += "?" + query
			}
			found = append(found, completed)
		}
	}
	return found
}

// completeConfigNames completes the names of the configuration file.
func (p *program) completeConfigNames(c *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
	p.command = c
	if p.loadConfig() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []string
	for _, name := range p.completeNames(text) {
		found = append(found, strings.TrimSuffix(name, ":"))
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeSettings completes the names of settings.
func (p *program) completeSettings(c *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
	var found []string
	if len(args) == 0 || c.Name() == "unset" {
		settings(c.Root(), func(flag *pflag.Flag) {
			if strings.HasPrefix(flag.Name, text) {
				found = append(found, flag.Name+"\t"+flag.Usage)
			}
		})
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
