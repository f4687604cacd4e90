package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of the times in /proc/PID/stat: USER_HZ, which is 100 on every architecture
// that Go has for Linux.
const clockTick = 10 * time.Millisecond

// usage is what a process has used.
type usage struct {
	// cpu is its time in user and system mode, own that of the benchmark itself.
	cpu, own time.Duration
	// rss and peak are its resident memory, now and at most, in bytes.
	rss, peak int64
}

// usageOf reads what processes have used together.
func usageOf(pids ...int) (sum usage, err error) {
	if sum.own, err = ownCPU(); err != nil {
		return sum, err
	}
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return sum, err
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return sum, err
		}
		u, err := parseUsage(string(stat), string(status))
		if err != nil {
			return sum, fmt.Errorf("process %d: %w", pid, err)
		}
		sum.cpu += u.cpu
		sum.rss += u.rss
		sum.peak += u.peak
	}
	return sum, nil
}

// parseUsage reads the two files of a process as proc_pid_stat(5) and proc_pid_status(5) have them.
func parseUsage(stat, status string) (usage, error) {
	// The second field, the command in parentheses, may itself have blanks and parentheses. After
	// it come the fields from the third on; user and system time are the 14th and the 15th.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return usage{}, errors.New("its stat is not as expected")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	rss, err3 := parseKilobytes(valueOf(status, "VmRSS"))
	peak, err4 := parseKilobytes(valueOf(status, "VmHWM"))
	return usage{cpu: time.Duration(user+system) * clockTick, rss: rss, peak: peak}, errors.Join(err, err2, err3, err4)
}

// parseKilobytes reads a size such as "123 kB", in bytes.
func parseKilobytes(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSuffix(text, " kB"), 10, 64)
	return n << 10, err
}

// ownCPU is the time of this process in user and system mode.
func ownCPU() (time.Duration, error) {
	var own syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &own)
	return time.Duration(own.Utime.Nano() + own.Stime.Nano()), err
}

const (
	settleInterval = 250 * time.Millisecond
	// settleShare of a core is what a settled program uses at most.
	settleShare = 0.1
	// settleTime is how long settling may take; after it the program counts as settled.
	settleTime = 15 * time.Second
)

// settle waits until processes have done what they do after their work: the last arrival of an
// event is not the end of its delivery.
func settle(ctx context.Context, pids ...int) (usage, error) {
	last, err := usageOf(pids...)
	ticker := time.NewTicker(settleInterval)
	defer ticker.Stop()
	for began := time.Now(); err == nil && time.Since(began) < settleTime; {
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-ticker.C:
		}
		before := last.cpu
		last, err = usageOf(pids...)
		if float64(last.cpu-before) <= settleShare*float64(settleInterval) {
			break
		}
	}
	return last, err
}
