// Benchmarks measures omnibucket beside what one would use instead, in one
// process, in turn: a figure counts as a ratio between rows of one run, or as
// something stable, such as allocations. An absolute time is never a result.
//
//	go run . [-run REGEXP] [-rounds 5] [-files 100000] [-profile DIR] [-list]
//
// Each case runs all its contenders one after the other, -rounds times, each
// for a fixed number of operations that takes about -per. Printed are medians;
// a ratio is the median of each round's own.
//
// Writing to a real disk is as even as the disk is: TMPDIR=/dev/shm leaves it
// out of the local cases but for those that sync.
//
// The cases of S3, Google Cloud Storage and Azure have a server beside them, in
// a process of its own, that keeps nothing; those that move much run each contender in a process of its own too,
// whose peak memory and CPU are told. Their certificate is found on systems
// that keep certificates in files. The memory that is resident is told on Linux.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"
)

func main() {
	if name := os.Getenv(childVariable); name != "" {
		exitOn(runChild(name))
		return
	}
	pattern := flag.String("run", "", "run the cases that match this `regexp`")
	rounds := flag.Int("rounds", 5, "rounds of each case")
	per := flag.Duration("per", 150*time.Millisecond, "about how long one contender runs in a round")
	files := flag.Int("files", 100_000, "keys and files in the listings; goals are meant for 100,000")
	names := flag.Bool("list", false, "print the names of the cases and do nothing else")
	flag.StringVar(&profiles, "profile", "", "write CPU profiles of the transfers to and from servers into this `directory`")
	flag.Parse()
	chosen, err := regexp.Compile(*pattern)
	exitOn(err)

	defer removeCertificate()
	fmt.Println(machine())
	missed := 0
	for _, c := range cases(*files) {
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
