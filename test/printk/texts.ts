/** events/header_page of Linux 6.18. */
export const headerPage = `	field: u64 timestamp;	offset:0;	size:8;	signed:0;
	field: local_t commit;	offset:8;	size:8;	signed:1;
	field: int overwrite;	offset:8;	size:1;	signed:1;
	field: char data;	offset:16;	size:4080;	signed:0;
`

/** events/bpf_trace/bpf_trace_printk/format of Linux 6.18. */
export const formatText = `name: bpf_trace_printk
ID: 550
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:__data_loc char[] bpf_string;	offset:8;	size:4;	signed:0;

print fmt: "%s", __get_str(bpf_string)
`

/** per_cpu/cpu0/stats of Linux 6.18, with other numbers. */
export const statsText = `entries: 3
overrun: 5
commit overrun: 7
bytes: 240
oldest event ts:  20595.137455
now ts: 20596.651864
dropped events: 11
read events: 13
`
