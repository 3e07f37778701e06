// Benchmarks compares omnibucket with alternatives. It reports ratios between the alternatives of
// one run, or stable figures such as numbers of allocations. It never uses an absolute time as a
// result.
//
//	go run . [-run REGEXP] [-rounds 5] [-files 100000] [-busy 0] [-profile DIR] [-list] [-record DIR]
//
// Each case has several contenders, such as this library and an SDK. They run one after the other,
// -rounds times. In each round, a contender runs a fixed number of operations, which takes about
// the time -per. The output shows medians. A ratio is the median of the ratios in each round.
//
// With -record, the raw results are written to DIR/results.json, where they replace earlier results
// of the same cases. The plots of these cases in DIR are drawn again.
//
// The times of local cases depend on the disk. With TMPDIR=/dev/shm, only the cases that sync use
// the disk.
//
// The cases of S3, Google Cloud Storage and Azure use a null server, which runs in its own process
// and stores nothing. If a case transfers much data, each contender also runs in its own process,
// so that its peak memory and CPU time can be reported. The certificate of the servers works only
// on systems that keep certificates in files. Resident memory is reported only on Linux.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/record"
)

func main() {
	if name := os.Getenv(childVariable); name != "" {
		exitOn(runChild(name))
		return
	}
	pattern := flag.String("run", "", "run the cases that match this `regexp`")
	rounds := flag.Int("rounds", 5, "rounds of each case")
	per := flag.Duration("per", 150*time.Millisecond, "approximate time of one contender in a round")
	flag.IntVar(
		&listedKeys, "files", listedKeys,
		"keys and files in listings, and small files for S3 servers; goals are for 100,000",
	)
	flag.Int64Var(
		&commandLineLarge, "large", commandLineLarge,
		"`MiB` of the large file in the cases of the command line and of S3 servers",
	)
	names := flag.Bool("list", false, "only print the names of the cases")
	flag.StringVar(
		&profiles, "profile", "",
		"write CPU profiles of the transfers to and from servers into this `directory`",
	)
	busyLoops := flag.Int("busy", 0, "processes that keep a processor busy meanwhile, such as two for each processor")
	recorded := flag.String("record", "", "write results and plots into this `directory`")
	flag.Parse()

	chosen, err := regexp.Compile(*pattern)
	exitOn(err)

	defer removeCertificate()
	fmt.Println(machine())
	if profiles != "" {
		exitOn(os.MkdirAll(profiles, 0o755))
	}
	all, err := record.Read(*recorded)
	exitOn(err)
	if !*names {
		// This must precede the first use of the system's certificates.
		_, err = trusted()
		exitOn(err)
	}

	// The busy processes run until all cases have been measured.
	busy := newEnv(context.Background())
	exitOn(busy.keepBusy(*busyLoops))

	missed := 0 // number of goals that were missed
	run := []record.Case{}
	for _, c := range cases(listedKeys) {
		if !chosen.MatchString(c.name) {
			continue
		}
		if *names {
			fmt.Println(c.name)
			continue
		}
		results, err := measure(c, *rounds, *per)
		exitOn(err)
		missed += report(os.Stdout, c, results)
		k := recordOf(c, results, time.Now())
		all.Put(k)
		run = append(run, k)
	}
	exitOn(busy.close())

	missed += reportGrowth(os.Stdout, run)
	if *recorded != "" {
		exitOn(all.Write(*recorded))
	}
	if missed > 0 {
		fmt.Printf("\n%d goals missed\n", missed)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		removeCertificate()
		os.Exit(1)
	}
}

// cases returns all cases. keys is the number of keys in listings in memory and in directories.
func cases(keys int) []benchCase {
	all := slices.Concat(
		memoryCases(keys), layerCases(), overlayCases(), mirrorCases(), localCases(keys), serveCases(), adapterCases(),
		growthCases(keys),
	)
	for _, c := range clientCases() {
		all = append(all, c.benchCase())
	}
	return slices.Concat(all, tailCases(), transferJobCases(), startCases(), commandLineCases(), throttledJobCases(),
		s3ServerCases())
}
